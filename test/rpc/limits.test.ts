// Proves that what a client can make a call hold has a limit: sizes of messages and headers, and what waits for a
// slow method or a slow client.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import { all, endsWith } from '../support/outcome.ts';
import { eventually, withPatience } from '../support/patience.ts';
import { http2Engine } from '../support/server.ts';
import { nameOf, timeoutHeader, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { EchoRequestSchema } from './gen/echo_pb.js';
import { call, framed } from './raw.ts';

const text = 'x'.repeat(20_000);

for (const wire of wires) {
  describe(`limits of ${nameOf(wire)}`, () => {
    it('refuse a request that is too large, and the connection goes on', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { limits: { maxMessageBytes: 10_000 } });
      const echo = echoOf(serving, wire);
      await endsWith(Code.ResourceExhausted, echo.unary({ text }));
      await endsWith(Code.ResourceExhausted, all(echo.serverStream({ text })));
      await echo.unary({});
    });

    it('refuse a small request that unfolds into a large one', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { limits: { maxMessageBytes: 10_000 } });
      const echo = echoOf(serving, wire, { sendCompression: compressionGzip });
      await endsWith(Code.ResourceExhausted, echo.unary({ text: 'x'.repeat(9_000_000) }));
      await echo.unary({});
    });

    it('refuse to send a message that is too large, and log it', async (t) => {
      const serving = await serve(t, { unary: () => ({ text }) }, { limits: { maxMessageBytes: 10_000 } });
      await endsWith(Code.ResourceExhausted, echoOf(serving, wire).unary({}));
      await serving.line(({ code }) => code === 'RESOURCE_EXHAUSTED');
    });

    it('refuse headers that are too large', async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { limits: { maxHeaderBytes: 8_192 } });
      const answer = await call(serving, wire, { headers: { large: 'x'.repeat(12_000) } });
      // Node's HTTP/2 resets the stream.
      const isReset = wire.http === '2' && http2Engine === 'node';
      const status = wire.protocol === 'grpc' ? 200 : 431;
      assert.equal(answer.status, isReset ? 0 : status);
      if (status === 200 && !isReset) assert.match(answer.headers, /^grpc-status: 8$/m);
      await echoOf(serving, wire).unary({});
    });

    it('keep the generator from running ahead of a client that does not read', async (t) => {
      let made = 0;
      let isEnded = false;
      const serving = await serve(t, {
        async *serverStream() {
          try {
            for (; made < 10_000; made++) yield { pad: new Uint8Array(10_000) };
          } finally {
            isEnded = true;
          }
        },
      });
      const headers = timeoutHeader(wire, 2_000).headers;
      await call(serving, wire, { method: 'ServerStream', headers, isReading: false });
      await settled(() => made);
      // What the sockets and windows of both sides hold, and no more: 100 MB were to be had.
      assert.ok(made < 2_000, `${made} messages were made`);
      serving.cut();
      assert.ok(await eventually(() => isEnded));
    });
  });
}

for (const wire of wires.filter((it) => it.http === '2')) {
  it(`a slow method stops its client over ${nameOf(wire)}`, async (t) => {
    const go = Promise.withResolvers<void>();
    let read = 0;
    const serving = await serve(t, {
      async clientStream(requests) {
        await go.promise;
        for await (const _ of requests) read++;
        return { index: read };
      },
    });
    let sent = 0;
    async function* requests() {
      for (; sent < 2_000; sent++) yield { text: 'x'.repeat(10_000) };
    }
    const answer = echoOf(serving, wire).clientStream(requests());
    await settled(() => sent);
    assert.ok(sent < 1_000, `${sent} messages were taken while the method did not read`);
    go.resolve();
    assert.equal((await answer).index, 2_000);
  });
}

it('a stream that waits for a method which never reads is let go at its deadline', async (t) => {
  const serving = await serve(t, { clientStream: () => new Promise(() => {}) });
  const wire = { protocol: 'grpc', http: '2' } as const;
  // More than may wait: the stream is paused, and would not close by itself.
  const body = Buffer.concat(Array.from({ length: 5_000 }, () => framed(wire, 'ClientStream')));
  const headers = timeoutHeader(wire, 50).headers;
  const answer = await call(serving, wire, { method: 'ClientStream', headers, body });
  assert.match(answer.headers, /grpc-status: 4/);
  await serving.line(({ code }) => code === 'DEADLINE_EXCEEDED');
  // The connection is still there; a stream that is open would hold the drain up.
  assert.ok(
    await withPatience(
      serving.server.drain().then(() => true),
      2_000,
    ),
    'the stream is still open',
  );
});

it('a bomb that gRPC clients do not send is refused before it unfolds', async (t) => {
  const serving = await serve(t, { unary: () => ({}) });
  const bomb = gzipSync(
    toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: 'x'.repeat(50_000_000) })),
  );
  const wire = { protocol: 'grpc', http: '2' } as const;
  const body = framed(wire, 'Unary', bomb);
  body[0] = 1;
  const { headers } = await call(serving, wire, { headers: { 'grpc-encoding': 'gzip' }, body });
  assert.match(headers, /grpc-status: 8/);
});

/** Waits until a figure stays the same for a while. */
async function settled(figure: () => number): Promise<void> {
  for (let before = -1; figure() !== before; ) {
    before = figure();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it('a message in a URL that is too large is refused', async (t) => {
  const serving = await serve(t, { get: ({ text }) => ({ text }) }, { limits: { maxRequestBytes: 1_000 } });
  const get = (it: string) => {
    const query = new URLSearchParams({ encoding: 'json', message: JSON.stringify({ text: it }) });
    return fetch(`${serving.url}/test.echo.v1.Echo/Get?${query}`, { headers: { connection: 'close' } });
  };
  assert.deepEqual(await (await get('small')).json(), { text: 'small' });
  const refused = await get('x'.repeat(1_000));
  assert.equal(refused.status, 429);
  assert.match(await refused.text(), /"resource_exhausted".*1011 bytes, at most 1000/);
});
