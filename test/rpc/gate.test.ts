// Proves that no way into a server goes round its gate, nor round its interceptors where methods are called: every
// protocol and version of HTTP, Connect's GET, plain HTTP, health, reflection and callers within the process. A call
// that is refused is told so in the words of its own protocol, and no byte of its body has been parsed; one that is let
// in, at once or later, carries what the gate has set.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Code, ConnectError, createContextKey, type Interceptor } from '@connectrpc/connect';
import type { Gate, GateRequest } from '../../functions/rpc/index.ts';
import { all, endsWith } from '../support/outcome.ts';
import { nameOf, wires } from '../support/transports.ts';
import { echoOf } from './echo.ts';
import { MetadataSchema } from './gen/echo_pb.js';
import { assertLogged, assertRefused, callAll, isCheck, serveWaysIn, waysIn } from './ways-in.ts';

/** When a gate decides. */
const moments: Record<string, (decide: (request: GateRequest) => void) => Gate> = {
  'at once': (decide) => (request) => void decide(request),
  later: (decide) => async (request) => {
    await turn();
    decide(request);
  },
};

for (const [moment, when] of Object.entries(moments)) {
  describe(`a gate that decides ${moment}`, () => {
    it('refuses whoever comes, before the body is parsed', async (t) => {
      const asked: string[] = [];
      const gate = when(({ protocol, path }) => {
        asked.push(`${protocol} ${path}`);
        throw new ConnectError('not you', Code.PermissionDenied);
      });
      // Nothing of a call that is refused is waited for: its stream ends at once.
      const serving = await serveWaysIn(t, { gate, limits: { flushTimeoutMs: 600_000 } });
      for (const { way, outcome } of await callAll(serving, waysIn, true)) {
        assertRefused(way, outcome, Code.PermissionDenied, 'not you');
      }
      assert.deepEqual(asked.sort(), waysIn.map(({ protocol, path }) => `${protocol} ${path}`).sort());
      assert.deepEqual(serving.calls, []);
      await assertLogged(serving, 'PERMISSION_DENIED');
    });

    it('lets in whoever comes, with what it has set', async (t) => {
      const key = createContextKey('nobody');
      const gate = when(({ protocol, path, values }) => void values.set(key, `${protocol} ${path}`));
      const seen: string[] = [];
      const interceptor: Interceptor = (next) => (request) => {
        seen.push(request.contextValues.get(key));
        return next(request);
      };
      const serving = await serveWaysIn(t, {
        gate,
        interceptors: [interceptor],
        answer: ({ values }) => values.get(key),
      });
      const ways = waysIn.filter(({ hasEnd }) => hasEnd);
      for (const { way, outcome } of await callAll(serving, ways)) {
        const { name, path, protocol } = way;
        const local = 'local /test.echo.v1.Echo/Unary';
        const text =
          { '/here': local, '/healthz': 'SERVING', '/readyz': 'READY' }[path] ?? `${protocol} ${path}`;
        if (way.isEcho || !way.isMethod) assert.ok(outcome.said.includes(text), `${name}: ${outcome.said}`);
        else assert.equal(outcome.status, '0', name);
      }
      const methods = ways.filter((it) => it.isMethod).map(({ protocol, path }) => `${protocol} ${path}`);
      const inner = ways.filter(({ path }) => path === '/here').map(() => 'local /test.echo.v1.Echo/Unary');
      assert.deepEqual(seen.sort(), [...methods, ...inner].sort());
    });

    it('that breaks is a fault of the server, and says nothing of it', async (t) => {
      const cause = new TypeError('a secret');
      const gate = when(() => {
        throw cause;
      });
      const serving = await serveWaysIn(t, { gate });
      for (const { way, outcome } of await callAll(serving, waysIn)) {
        assertRefused(way, outcome, Code.Internal, 'internal error');
      }
      assert.deepEqual(serving.calls, []);
      await assertLogged(serving, 'INTERNAL');
      for (const { level, err } of serving.lines) assert.deepEqual([level, err], ['error', cause]);
    });

    for (const wire of wires) {
      it(`loses nothing of a large request over ${nameOf(wire)}, and tells all of its error`, async (t) => {
        const gate = when(({ headers }) => {
          if (headers.want !== 'refusal') return;
          throw new ConnectError('no', Code.Unauthenticated, { 'x-scheme': 'a' }, [
            { desc: MetadataSchema, value: { name: 'b', value: 'c' } },
          ]);
        });
        const serving = await serveWaysIn(t, { gate, answer: (_, { text }) => text });
        const echo = echoOf(serving, wire);
        const text = 'large '.repeat(100_000);
        assert.equal((await echo.unary({ text })).text, text);
        assert.equal((await all(echo.serverStream({ text })))[0]?.text, text);
        const headers = { want: 'refusal' };
        for (const call of [
          () => echo.unary({ text }, { headers }),
          () => all(echo.serverStream({ text }, { headers })),
        ]) {
          const error = await endsWith(Code.Unauthenticated, call());
          assert.equal(error.metadata.get('x-scheme'), 'a');
          assert.equal(error.findDetails(MetadataSchema)[0]?.value, 'c');
        }
      });
    }
  });
}

it('an interceptor refuses whoever calls a method, by whatever way', async (t) => {
  const interceptor: Interceptor = () => () => {
    throw new ConnectError('not you', Code.PermissionDenied);
  };
  const serving = await serveWaysIn(t, { interceptors: [interceptor] });
  for (const { way, outcome } of await callAll(serving, waysIn)) {
    // Plain HTTP that calls no method has no interceptors.
    if (isCheck(way.path)) assert.match(outcome.said, /^(?:SERVING|READY)\n$/);
    else assertRefused(way, outcome, Code.PermissionDenied, 'not you');
  }
  assert.deepEqual(serving.calls, []);
});
