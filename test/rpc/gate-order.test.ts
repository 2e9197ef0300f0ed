// Proves that a gate which takes its time keeps nobody longer than deadline, drain and the client itself allow; that
// what a request says wrongly in its headers is refused before the gate, and all else after it; and what a gate learns.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Gate } from '../../functions/rpc/index.ts';
import { Health } from '../../proto/gen/health/v1/health_pb.js';
import { Users } from '../../proto/gen/users_pb.js';
import { createAuthority } from '../support/certificates.ts';
import { all, endsWith } from '../support/outcome.ts';
import { clientOf, nameOf, wires } from '../support/transports.ts';
import { Dialect } from './differential/dialect.ts';
import { echoOf } from './echo.ts';
import { call } from './raw.ts';
import { assertLogged, assertRefused, callAll, serveWaysIn, waysIn } from './ways-in.ts';

describe('a gate that does not come to a decision', () => {
  /** Lets nobody in, and says when so many have asked. */
  function slowGate(count: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    let asked = 0;
    const gate: Gate = () => {
      asked += 1;
      if (asked === count) resolve();
      return new Promise(() => {});
    };
    return { gate, allHaveAsked: promise };
  }

  it('keeps nobody beyond the deadline', async (t) => {
    const { gate } = slowGate(waysIn.length);
    // Those of calls without an end, before they are let in, too.
    const limits = { defaultDeadlineMs: 60, requestTimeoutMs: 60 };
    const serving = await serveWaysIn(t, { gate, limits });
    for (const { way, outcome } of await callAll(serving, waysIn)) {
      assertRefused(way, outcome, Code.DeadlineExceeded, 'the deadline passed before the call was done');
    }
    assert.deepEqual(serving.calls, []);
    await assertLogged(serving, 'DEADLINE_EXCEEDED');
  });

  it('keeps nobody when the server ends', async (t) => {
    const { gate, allHaveAsked } = slowGate(waysIn.length);
    const serving = await serveWaysIn(t, { gate, limits: { drainTimeoutMs: 50 } });
    const calls = callAll(serving, waysIn);
    await allHaveAsked;
    await serving.server.drain();
    for (const { way, outcome } of await calls) {
      const text = 'the server is shutting down; another one can take the call';
      assertRefused(way, outcome, Code.Unavailable, text);
    }
    assert.deepEqual(serving.calls, []);
    await assertLogged(serving, 'UNAVAILABLE');
  });

  for (const wire of wires) {
    it(`keeps nobody who goes away over ${nameOf(wire)}`, async (t) => {
      const { gate, allHaveAsked } = slowGate(2);
      const serving = await serveWaysIn(t, { gate });
      const echo = echoOf(serving, wire);
      const left = new AbortController();
      const { signal } = left;
      const calls = [echo.unary({}, { signal }), all(echo.serverStream({}, { signal }))];
      const ended = Promise.all(calls.map((it) => endsWith(Code.Canceled, it)));
      await allHaveAsked;
      left.abort();
      await ended;
      await serving.line(() => serving.lines.length === 2);
      for (const { code } of serving.lines) assert.equal(code, 'CANCELLED');
      assert.deepEqual(serving.calls, []);
    });
  }
});

describe('what is refused before the gate, and after it', () => {
  for (const wire of wires) {
    it(`malformed headers and unknown methods need no gate over ${nameOf(wire)}`, async (t) => {
      const asked: string[] = [];
      const gate: Gate = ({ path }) => void asked.push(path);
      const serving = await serveWaysIn(t, { gate });
      const echo = echoOf(serving, wire);
      const dialect = new Dialect(wire);
      const { header, malformed, tiny } = dialect.timeouts;
      for (const it of malformed) {
        await endsWith(Code.InvalidArgument, echo.unary({}, { headers: { [header]: it } }));
      }
      await endsWith(Code.DeadlineExceeded, echo.unary({}, { headers: { [header]: tiny } }));
      const headers = { [dialect.encodingHeader('ServerStream')]: 'br' };
      await endsWith(Code.Unimplemented, all(echo.serverStream({}, { headers })));
      await endsWith(Code.Unimplemented, clientOf(Users, serving, wire).createUser({}));
      const text = { headers: { 'content-type': 'text/plain' } };
      assert.equal((await call(serving, wire, text)).status, 415);
      assert.equal((await call(serving, wire, { ...text, method: 'Nothing' })).status, 404);
      assert.deepEqual(asked, []);
      await endsWith(Code.Unimplemented, echo.missing({}));
      assert.deepEqual(asked, ['/test.echo.v1.Echo/Missing']);
    });

    it(`all else is told to those alone who are let in over ${nameOf(wire)}`, async (t) => {
      let isOpen = true;
      const gate: Gate = () => {
        if (isOpen) return;
        throw new ConnectError('not you', Code.PermissionDenied);
      };
      const serving = await serveWaysIn(t, { gate, limits: { maxWatches: 0, maxRequestBytes: 100 } });
      const echo = echoOf(serving, wire);
      const health = clientOf(Health, serving, wire);
      const refusals: [Code, () => Promise<unknown>][] = [
        [Code.Unimplemented, () => echo.missing({})],
        [Code.ResourceExhausted, () => echo.unary({ text: 'x'.repeat(200) })],
        [Code.ResourceExhausted, () => all(health.watch({}))],
      ];
      for (const [code, call] of refusals) {
        isOpen = true;
        await endsWith(code, call());
        isOpen = false;
        await endsWith(Code.PermissionDenied, call());
      }
    });
  }
});

it('a gate learns whose call it is', async (t) => {
  const authority = await createAuthority();
  const [server, client] = await Promise.all([
    authority.issue({ ip: ['127.0.0.1'] }),
    authority.issue({ dns: ['client.example'] }),
  ]);
  const learned: unknown[] = [];
  const gate: Gate = ({ protocol, path, method, headers, requestId, peer, client: address, tls }) => {
    const names = tls?.getPeerCertificate().subjectaltname;
    learned.push([protocol, path, method?.name, headers.key, requestId, address, names]);
    assert.match(peer, /^127\.0\.0\.1:\d+$/);
  };
  const serving = await serveWaysIn(t, { gate, tls: { ...server, clientCa: authority.ca } });
  for (const wire of wires) {
    const echo = echoOf(serving, wire, { tls: { ca: authority.ca, ...client } });
    await echo.unary({}, { headers: { Key: 'a', 'x-request-id': 'id' } });
    const path = '/test.echo.v1.Echo/Unary';
    const expected = [wire.protocol, path, 'Unary', 'a', 'id', '127.0.0.1', 'DNS:client.example'];
    assert.deepEqual(learned.pop(), expected, nameOf(wire));
  }
});
