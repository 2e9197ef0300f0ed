// Proves that calls which last as long as their clients want are bounded: those of one client, those of all, and the
// time of each; that reflection counts as watches do; and that a call with a deadline is not one.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { Code } from '@connectrpc/connect';
import { ServerReflection } from '../../../functions/rpc/standard/gen/grpc/reflection/v1/reflection_pb.js';
import { Health } from '../../../proto/gen/health/v1/health_pb.js';
import { all, endsWith } from '../../support/outcome.ts';
import { eventually, withPatience } from '../../support/patience.ts';
import { requestHttp2 } from '../../support/raw-request.ts';
import { closeBefore, type Serving } from '../../support/server.ts';
import { clientOf, nameOf, timeoutHeader, type Wire, wires } from '../../support/transports.ts';
import { serve } from '../echo.ts';

/** A watch that is open: its first message is there. */
interface Watch {
  /** What comes after the first message. */
  readonly rest: AsyncIterable<unknown>;
  end(): void;
}

/** Opens a watch, or fails as the call fails. */
async function watch(serving: Serving, wire: Wire, localAddress = '127.0.0.1', more = {}): Promise<Watch> {
  const controller = new AbortController();
  const health = clientOf(Health, serving, wire, { localAddress });
  return opened(health.watch({}, { signal: controller.signal, ...more }), () => controller.abort());
}

/** As `watch`, with a call of reflection whose questions never end. */
async function reflect(serving: Serving, wire: Wire, localAddress = '127.0.0.1'): Promise<Watch> {
  const ended = Promise.withResolvers<void>();
  async function* questions() {
    yield { messageRequest: { case: 'listServices' as const, value: '' } };
    await ended.promise;
  }
  const reflection = clientOf(ServerReflection, serving, wire, { localAddress });
  return opened(reflection.serverReflectionInfo(questions()), () => ended.resolve());
}

async function opened(messages: AsyncIterable<unknown>, end: () => void): Promise<Watch> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  assert.equal(first.done, false);
  return { rest: { [Symbol.asyncIterator]: () => iterator }, end };
}

/** What bounds the watches of one client, and of all. */
const limits = { maxWatches: 3, maxWatchesPerClient: 2 };

async function open(t: TestContext): Promise<Serving> {
  return serve(t, {}, { limits });
}

for (const wire of wires) {
  describe(`watches over ${nameOf(wire)}`, () => {
    it('are bounded for one client and for all', async (t) => {
      const serving = await open(t);
      const first = await watch(serving, wire);
      await watch(serving, wire);
      const { rawMessage } = await endsWith(Code.ResourceExhausted, watch(serving, wire));
      assert.match(rawMessage, /too many watches/);
      await watch(serving, wire, '127.0.0.2');
      assert.equal(serving.server.usage.watches, 3);
      await endsWith(Code.ResourceExhausted, watch(serving, wire, '127.0.0.3'));
      first.end();
      assert.ok(await eventually(() => serving.server.usage.watches === 2));
      await watch(serving, wire, '127.0.0.3');
    });

    it('end with UNAVAILABLE when they have lasted as long as they may', async (t) => {
      const serving = await serve(t, {}, { limits: { maxWatchMs: 200 } });
      const { rest } = await watch(serving, wire);
      const { rawMessage } = await endsWith(Code.Unavailable, all(rest));
      assert.match(rawMessage, /begin another/);
      assert.ok(await eventually(() => serving.server.usage.watches === 0));
      await watch(serving, wire);
    });

    it('are none that a deadline ends anyway', async (t) => {
      const serving = await open(t);
      for (let opened = 0; opened < 4; opened++) {
        await watch(serving, wire, '127.0.0.1', timeoutHeader(wire, 60_000));
      }
      assert.equal(serving.server.usage.watches, 0);
    });

    if (wire.http === '2') {
      it('are bounded together with calls of reflection', async (t) => {
        const serving = await open(t);
        await watch(serving, wire);
        const reflection = await reflect(serving, wire);
        await endsWith(Code.ResourceExhausted, reflect(serving, wire));
        await endsWith(Code.ResourceExhausted, watch(serving, wire));
        await reflect(serving, wire, '127.0.0.2');
        await endsWith(Code.ResourceExhausted, reflect(serving, wire, '127.0.0.3'));
        reflection.end();
        assert.deepEqual(await all(reflection.rest), []);
        assert.ok(await eventually(() => serving.server.usage.watches === 2));
      });
    }
  });
}

it('a watch whose request never comes does not last as a watch may', async (t) => {
  const serving = await serve(
    t,
    {},
    { limits: { ...limits, requestTimeoutMs: 100, handshakeTimeoutMs: 100 } },
  );
  const session = http2.connect(serving.url);
  closeBefore(serving, () => session.destroy());
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  const exchange = requestHttp2(session, { path: '/grpc.health.v1.Health/Watch', headers });
  assert.ok(await eventually(() => serving.server.usage.watches === 1));
  assert.ok(await withPatience(exchange.closed.then(() => true)), 'it is still open');
  assert.equal(exchange.headers['grpc-status'], String(Code.DeadlineExceeded));
  assert.equal(serving.server.usage.watches, 0);
});
