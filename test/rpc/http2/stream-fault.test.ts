// Proves that what is wrong with one stream of HTTP/2 costs that stream and not its connection: DATA that does not fit
// the content-length (RFC 9113 section 8.1.1). A fault of the connection ends it all the same, and so does a client
// that is not there any more.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import { describe, it } from 'node:test';
import { frame } from '../../support/frames.ts';
import { beginning, callHeaders, http2Frame, http2FramesOf } from '../../support/http2-bytes.ts';
import { eventually, patienceMs, withPatience } from '../../support/patience.ts';
import { requestHttp2 } from '../../support/raw-request.ts';
import { closeBefore, http2Engine, type Serving } from '../../support/server.ts';
import { serve } from '../echo.ts';

const path = '/test.echo.v1.Echo/Unary';
const empty = frame(Buffer.alloc(0));
const { NGHTTP2_PROTOCOL_ERROR } = http2.constants;

/** The client has this long to answer the PING by which the server finds out that the connection is sound. */
const limits = { goawayTimeoutMs: patienceMs };

function connect(serving: Serving): http2.ClientHttp2Session {
  const session = http2.connect(serving.url);
  closeBefore(serving, () => session.destroy());
  session.setMaxListeners(0); // each call has one
  session.on('error', () => {});
  return session;
}

/** Begins a call whose request is said to have so many bytes. */
function begin(session: http2.ClientHttp2Session, contentLength?: number) {
  const length = contentLength === undefined ? {} : { 'content-length': String(contentLength) };
  return requestHttp2(session, {
    path,
    headers: { 'content-type': 'application/grpc', te: 'trailers', ...length },
  });
}

describe('a request with a content-length', () => {
  for (const [what, contentLength] of [
    ['more DATA', 4],
    ['less DATA', 6],
    ['DATA where there is none', 0],
  ] as const) {
    it(`of ${what} costs its stream, and not another nor the connection`, async (t) => {
      const go = Promise.withResolvers<void>();
      let begun = 0;
      const unary = async () => {
        begun += 1;
        await go.promise;
        return { text: 'a' };
      };
      const serving = await serve(t, { unary }, { limits });
      const session = connect(serving);
      const other = begin(session);
      other.read();
      other.request.end(empty);
      assert.ok(await eventually(() => begun === 1));
      const wrong = begin(session, contentLength);
      wrong.request.end(empty);
      assert.ok(await withPatience(wrong.closed.then(() => true)), 'its stream is open');
      assert.equal(wrong.resetCode, NGHTTP2_PROTOCOL_ERROR);
      go.resolve();
      await other.ended;
      assert.equal(other.trailers['grpc-status'], '0');
      const next = begin(session, empty.length);
      next.read();
      next.request.end(empty);
      await next.ended;
      assert.equal(next.trailers['grpc-status'], '0');
      assert.equal(session.destroyed, false);
      assert.equal(begun, 2);
    });
  }

  it('that is wrong again and again takes no room from the connection', async (t) => {
    const serving = await serve(t, { unary: () => ({}) }, { limits });
    const session = connect(serving);
    // Together far more than the window of the connection.
    for (let count = 0; count < 100; count++) {
      const wrong = begin(session, 10);
      wrong.request.end(Buffer.alloc(15_000));
      assert.ok(await withPatience(wrong.closed.then(() => true)), `the ${count}th stream is open`);
    }
    const next = begin(session);
    next.read();
    next.request.end(frame(Buffer.from('0a00', 'hex')));
    await withPatience(next.ended);
    assert.equal(next.trailers['grpc-status'], '0');
  });
});

describe('a connection', () => {
  /** Writes bytes after the beginning; answers no PING. */
  async function write(serving: Serving, bytes: Buffer) {
    const socket = net.connect(serving.port, '127.0.0.1');
    closeBefore(serving, () => socket.destroy());
    let received: Buffer = Buffer.alloc(0);
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
      });
    const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)));
    socket.write(Buffer.concat([beginning(), bytes]));
    return { closed, frames: () => http2FramesOf(received) };
  }

  for (const [what, bytes] of [
    ['DATA of no stream', http2Frame(0, 0, 0, empty)],
    ['a stream that only a server may begin', http2Frame(1, 4, 2, callHeaders(path))],
    ['DATA of a stream that is not there', http2Frame(0, 0, 7, empty)],
    ['headers that can’t be read', http2Frame(1, 4, 1, Buffer.from('ffffffff', 'hex'))],
  ] as const) {
    it(`ends over a fault of its own: ${what}`, async (t) => {
      const serving = await serve(t, { unary: () => ({}) });
      const { closed, frames } = await write(serving, bytes);
      assert.ok(await withPatience(closed), 'the connection is open');
      const goaway = frames().find(({ type }) => type === 7);
      assert.ok(goaway && goaway.payload.readUInt32BE(4) > 0, 'nothing says why');
      assert.ok(await eventually(() => serving.server.usage.clients === 0));
    });
  }

  // Node's engine can't tell a fault of a stream from one of the connection.
  const isMistaken = http2Engine === 'node';
  it(`${isMistaken ? 'ends' : 'goes on'} after the fault of a stream if nobody answers a PING`, async (t) => {
    const serving = await serve(t, { unary: () => ({}) });
    const wrong = http2Frame(1, 4, 1, callHeaders(path, { 'content-length': '3' }));
    const { closed, frames } = await write(serving, Buffer.concat([wrong, http2Frame(0, 1, 1, empty)]));
    if (isMistaken) assert.ok(await withPatience(closed), 'the connection is open');
    assert.ok(await eventually(() => frames().some(({ type }) => type === 3)));
    const reset = frames().find(({ type }) => type === 3);
    assert.deepEqual([reset?.stream, reset?.payload.readUInt32BE()], [1, NGHTTP2_PROTOCOL_ERROR]);
    assert.equal(
      frames().some(({ type }) => type === 7),
      isMistaken,
    );
  });

  it('ends if streams are faulty beyond number', async (t) => {
    const serving = await serve(t, { unary: () => ({}) });
    const session = connect(serving);
    const closed = new Promise<true>((resolve) => session.once('close', () => resolve(true)));
    for (let count = 0; count < 3_000 && !session.destroyed; count++) {
      const wrong = begin(session, 3);
      wrong.request.end(empty);
      await wrong.closed;
    }
    assert.ok(await withPatience(closed), 'it goes on');
  });
});
