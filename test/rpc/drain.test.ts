// Proves that a server ends without failing a call: what runs may finish, watches end, clients are told to go
// elsewhere (GOAWAY twice, connection: close), what is not done in time gets UNAVAILABLE, and close() cuts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { Code } from '@connectrpc/connect';
import { Health } from '../../proto/gen/health/v1/health_pb.js';
import { all, endsWith } from '../support/outcome.ts';
import { eventually, patienceMs, withPatience } from '../support/patience.ts';
import { closeBefore } from '../support/server.ts';
import { clientOf, nameOf, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { call } from './raw.ts';

for (const wire of wires) {
  describe(`a drain over ${nameOf(wire)}`, () => {
    it('lets running calls finish, and takes no new connection', async (t) => {
      const go = Promise.withResolvers<void>();
      let hasBegun = false;
      const serving = await serve(t, {
        async unary() {
          hasBegun = true;
          await go.promise;
          return { text: 'done' };
        },
        async *serverStream() {
          yield { text: 'first' };
          await go.promise;
          yield { text: 'last' };
        },
      });
      const echo = echoOf(serving, wire);
      const stream = echo.serverStream({})[Symbol.asyncIterator]();
      assert.equal((await stream.next()).value?.text, 'first');
      const unary = call(serving, wire);
      assert.ok(await eventually(() => hasBegun));
      let isDrained = false;
      const drained = serving.server.drain().then(() => {
        isDrained = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      const socket = net.connect(serving.port, '127.0.0.1');
      const [error] = await once(socket, 'error');
      assert.equal(error.code, 'ECONNREFUSED');
      assert.equal(isDrained, false);
      go.resolve();
      assert.equal((await stream.next()).value?.text, 'last');
      assert.equal((await stream.next()).done, true);
      const { status, headers } = await unary;
      assert.equal(status, 200);
      if (wire.http === '1.1') assert.match(headers, /^connection: close$/m);
      assert.ok(await withPatience(drained.then(() => true)));
      for (const { code } of serving.lines) assert.equal(code, 'OK');
    });

    it('ends watches', async (t) => {
      const serving = await serve(t);
      const watch = clientOf(Health, serving, wire).watch({})[Symbol.asyncIterator]();
      await watch.next();
      const drained = serving.server.drain();
      await endsWith(
        Code.Unavailable,
        (async () => {
          while (!(await watch.next()).done);
        })(),
      );
      await drained;
    });

    it('ends what is not done in time with UNAVAILABLE', async (t) => {
      let reason: unknown;
      const serving = await serve(
        t,
        {
          unary: (_, { signal }) =>
            new Promise(() => {
              signal.addEventListener('abort', () => {
                reason = signal.reason;
              });
            }),
          async *serverStream() {
            yield {};
            await new Promise(() => {});
          },
        },
        { limits: { drainTimeoutMs: 50 } },
      );
      const echo = echoOf(serving, wire);
      const stream = echo.serverStream({})[Symbol.asyncIterator]();
      await stream.next();
      const unary = endsWith(Code.Unavailable, echo.unary({}));
      await endsWith(Code.Unimplemented, echo.missing({}));
      const ended = endsWith(Code.Unavailable, stream.next());
      await serving.server.drain();
      await Promise.all([unary, ended]);
      assert.ok(await eventually(() => reason !== undefined));
    });

    it('close() cuts calls and connections', async (t) => {
      const serving = await serve(t, { unary: () => new Promise(() => {}) });
      const cut = assert.rejects(echoOf(serving, wire).unary({}));
      await endsWith(Code.Unimplemented, echoOf(serving, wire).missing({}));
      assert.ok(await withPatience(serving.server.close().then(() => true)));
      await cut;
    });
  });
}

it('GOAWAY comes twice, first without a limit, and calls in between are served', async (t) => {
  const go = Promise.withResolvers<void>();
  const serving = await serve(t, {
    async unary() {
      await go.promise;
      return {};
    },
  });
  const session = http2.connect(serving.url);
  closeBefore(serving, () => session.destroy());
  const last: number[] = [];
  session.on('goaway', (_code, lastStreamId) => last.push(lastStreamId));
  const stream = session.request({
    ':method': 'POST',
    ':path': '/test.echo.v1.Echo/Unary',
    'content-type': 'application/grpc',
  });
  stream.end(Buffer.alloc(5));
  stream.resume();
  await once(session, 'remoteSettings');
  session.ping(() => {
    serving.server.drain();
    setTimeout(() => go.resolve(), 50);
  });
  const [trailers] = await once(stream, 'trailers');
  assert.equal(trailers['grpc-status'], '0');
  await once(session, 'close');
  assert.equal(last[0], 2 ** 31 - 1);
  assert.equal(last[1], 1);
});

it('a call that crosses the beginning of a drain on an idle connection of HTTP/2 is served', async (t) => {
  const serving = await serve(t, { unary: () => ({}) }, { limits: { goawayTimeoutMs: patienceMs } });
  const session = http2.connect(serving.url);
  closeBefore(serving, () => session.destroy());
  await once(session, 'remoteSettings');
  const drained = serving.server.drain();
  const stream = session.request({
    ':method': 'POST',
    ':path': '/test.echo.v1.Echo/Unary',
    'content-type': 'application/grpc',
  });
  stream.end(Buffer.alloc(5));
  stream.resume();
  const [trailers] = await once(stream, 'trailers');
  assert.equal(trailers['grpc-status'], '0');
  await Promise.all([serving.server.close(), drained]);
});

it('a call that crosses the beginning of a drain on an idle connection of HTTP/1.1 is served', async (t) => {
  const serving = await serve(t, { unary: () => ({}) }, { limits: { goawayTimeoutMs: patienceMs } });
  const agent = new http.Agent({ keepAlive: true });
  closeBefore(serving, () => agent.destroy());
  const call = async () => {
    const request = http.request(`${serving.url}/test.echo.v1.Echo/Unary`, {
      agent,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    const [response] = await once(request.end('{}'), 'response');
    await text(response);
    return { response, request };
  };
  await call();
  const drained = serving.server.drain();
  const { response, request } = await call();
  assert.equal(request.reusedSocket, true);
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers.connection, 'close');
  await drained;
});

it('idle connections do not hold a drain up', async (t) => {
  const serving = await serve(t, { unary: () => ({}) }, { limits: { drainTimeoutMs: 60_000 } });
  for (const wire of wires) await echoOf(serving, wire).unary({});
  const silent = net.connect(serving.port, '127.0.0.1');
  closeBefore(serving, () => silent.destroy());
  await once(silent, 'connect');
  assert.ok(await withPatience(serving.server.drain().then(() => true)), 'the drain waits for idle clients');
});

it('drain() and close() can be called more than once, and before listen()', async (t) => {
  const serving = await serve(t);
  await Promise.all([serving.server.drain(), serving.server.drain()]);
  await serving.server.close();
  await assert.rejects(all(echoOf(serving, { protocol: 'grpc', http: '2' }).serverStream({})));
});
