// Proves what a client meets that has as many streams on a connection as it may: calls that come in one segment with
// the resets of others cost themselves at most, however many they are, and never the connection. With our engine they
// cost nothing: a client that cancels all its calls, and makes as many others, loses none of these.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { limits } from '../../../functions/limits.ts';
import { frame } from '../../support/frames.ts';
import { beginning, callHeaders, http2Frame, http2FramesOf } from '../../support/http2-bytes.ts';
import { eventually, withPatience } from '../../support/patience.ts';
import { requestHttp2 } from '../../support/raw-request.ts';
import { closeBefore } from '../../support/server.ts';
import { serve } from '../echo.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_REFUSED_STREAM } = http2.constants;
const cancel = Buffer.of(0, 0, 0, http2.constants.NGHTTP2_CANCEL);
const path = '/test.echo.v1.Echo/Unary';

/** A call with this text. */
function begun(stream: number, text = ''): Buffer {
  const message = Buffer.concat([Buffer.of(0x0a, text.length), Buffer.from(text)]);
  return Buffer.concat([
    http2Frame(1, 4, stream, callHeaders(path)),
    http2Frame(0, 1, stream, frame(message)),
  ]);
}

it('calls in one segment with the resets of all others: the connection goes on', async (t) => {
  let running = 0;
  const serving = await serve(t, {
    unary: async ({ text }) => {
      running += 1;
      return text === 'hang' ? new Promise<never>(() => {}) : { text };
    },
  });
  const socket = net.connect(serving.port, '127.0.0.1');
  closeBefore(serving, () => socket.destroy());
  let received: Buffer = Buffer.alloc(0);
  socket
    .on('error', () => {})
    .on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
    });
  const frames = () => http2FramesOf(received);
  socket.write(beginning());
  assert.ok(await eventually(() => frames().some(({ type }) => type === 4)));

  const count = limits.maxConcurrentStreams;
  const streams = (from: number) => Array.from({ length: count }, (_, index) => from + 2 * index);
  const before = streams(1);
  const after = streams(1 + 2 * count);
  socket.write(Buffer.concat(before.map((stream) => begun(stream, 'hang'))));
  assert.ok(await eventually(() => running === count));
  socket.write(
    Buffer.concat([
      ...before.map((stream) => http2Frame(3, 0, stream, cancel)),
      ...after.map((stream) => begun(stream)),
    ]),
  );
  // A call has ended with its reset, or with its trailers.
  const ended = () => frames().filter(({ type, flags }) => type === 3 || (type === 1 && (flags & 1) === 1));
  const isOver = (stream: number) => ended().some((it) => it.stream === stream);
  assert.ok(await eventually(() => after.every(isOver)), 'calls are open');
  for (const { payload } of ended().filter(({ type }) => type === 3)) {
    const code = payload.readUInt32BE();
    assert.ok(code === NGHTTP2_ENHANCE_YOUR_CALM || code === NGHTTP2_REFUSED_STREAM, `reset with ${code}`);
  }
  const last = 1 + 4 * count;
  socket.write(begun(last, 'a'));
  assert.ok(
    await eventually(() => frames().some(({ type, stream }) => type === 0 && stream === last)),
    'no answer',
  );
  assert.ok(!frames().some(({ type }) => type === 7), 'the connection ends');
});

it('a client that cancels all its calls and makes as many others at once: none of these fails', async (t) => {
  let running = 0;
  const unary = async ({ text }: { readonly text: string }) => {
    running += 1;
    return text === 'hang' ? new Promise<never>(() => {}) : { text };
  };
  const serving = await serve(t, { unary }, { http2Engine: 'own' });
  const count = serving.limits.maxConcurrentStreams;
  const hang = frame(Buffer.concat([Buffer.of(0x0a, 4), Buffer.from('hang')]));
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  // Node's client keeps to the limit, and sends the calls that wait with the resets that make room for them. Each round
  // has a connection of its own: there may be only so many resets on one.
  for (let round = 0; round < 5; round += 1) {
    const session = http2.connect(serving.url);
    session.setMaxListeners(0); // each call has one
    closeBefore(serving, () => session.destroy());
    await withPatience(once(session, 'remoteSettings'));
    const begin = (body: Buffer) => {
      const call = requestHttp2(session, { path, headers });
      call.request.end(body);
      return call;
    };
    running = 0;
    const doomed = Array.from({ length: count }, () => begin(hang));
    assert.ok(await eventually(() => running === count));
    await promisify(session.ping.bind(session))();
    for (const { request } of doomed) request.destroy();
    const innocent = Array.from({ length: count }, () => begin(frame(Buffer.alloc(0))));
    for (const call of innocent) call.read();
    await withPatience(Promise.all(innocent.map(({ ended }) => ended)));
    const failed = innocent.filter(({ trailers }) => trailers['grpc-status'] !== '0');
    assert.equal(failed.length, 0, `${failed.length} of ${count} failed: ${failed[0]?.error}`);
    session.destroy();
  }
});
