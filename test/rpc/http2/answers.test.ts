// Proves that long answers to many calls are no flood of a client that reads: it may ask by PING beside them. And that
// a part of a request which waits keeps no more memory than it is long, whatever came in the same read.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Receiver } from '../../../functions/rpc/http/exchange.ts';
import { RequestInbox } from '../../../functions/rpc/http2/request-inbox.ts';
import { frame } from '../../support/frames.ts';
import { requestHttp2 } from '../../support/raw-request.ts';
import { closeBefore } from '../../support/server.ts';
import { serve } from '../echo.ts';

const calls = 250;
/** All of them are more than may wait of answers to PINGs. */
const messageCharacters = 1_500;

it('a client with many long refusals may send PINGs', async (t) => {
  const go = Promise.withResolvers<void>();
  const unary = async () => {
    await go.promise;
    throw new ConnectError('x'.repeat(messageCharacters), Code.InvalidArgument);
  };
  const serving = await serve(t, { unary });
  const session = http2.connect(serving.url).setMaxListeners(0);
  closeBefore(serving, () => session.destroy());
  await once(session, 'connect');
  let goaways = 0;
  session.on('goaway', () => {
    goaways += 1;
  });
  const exchanges = Array.from({ length: calls }, () => {
    const headers = { 'content-type': 'application/grpc', te: 'trailers' };
    const exchange = requestHttp2(session, { path: '/test.echo.v1.Echo/Unary', headers });
    exchange.request.end(frame(Buffer.alloc(0)));
    exchange.read();
    return exchange;
  });
  const ping = () =>
    new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
  await ping(); // by then the server has all calls
  go.resolve();
  await Promise.all([ping(), ping(), ...exchanges.map((it) => it.closed)]);
  for (const { headers } of exchanges) assert.equal(headers['grpc-status'], String(Code.InvalidArgument));
  assert.equal(goaways, 0);
});

it('a part that waits keeps its own bytes alone', () => {
  const chunks: Buffer[] = [];
  const receiver: Receiver = {
    received: (chunk) => chunks.push(chunk),
    receivedAll() {},
    broken() {},
    drained() {},
    closed() {},
  };
  const inbox = new RequestInbox({ isGone: false, taken() {}, takenAll() {} }, undefined);
  inbox.pause();
  inbox.receive(receiver);
  const read = Buffer.alloc(64 * 1024);
  for (const length of [1, 100, 4_100, 10_000]) inbox.put(read.subarray(1_000, 1_000 + length), false);
  inbox.resume();
  for (const chunk of chunks) assert.ok(chunk.buffer.byteLength <= 4 * chunk.length, `${chunk.length}`);
});
