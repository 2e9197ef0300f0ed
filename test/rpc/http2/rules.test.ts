// Proves what h2spec does not ask of a server: SETTINGS that are not acknowledged end the connection in time, unknown
// settings are acknowledged, a client that waits for 100 (Continue) gets it, and responses that wait for one window or
// for the socket share it.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { Outbox } from '../../../functions/rpc/http2/outbox.ts';
import { frame } from '../../support/frames.ts';
import { beginning, callHeaders, http2Frame, http2FramesOf } from '../../support/http2-bytes.ts';
import { eventually } from '../../support/patience.ts';
import { RawHttp2, setting, uint32 } from '../../support/raw-http2.ts';
import { closeBefore, type ServingOptions } from '../../support/server.ts';
import { serve as serveEcho } from '../echo.ts';
import { echoService } from '../echo-service.ts';

const unary = '/test.echo.v1.Echo/Unary';
const { NGHTTP2_SETTINGS_TIMEOUT } = http2.constants;
const serve = (t: TestContext, limits: ServingOptions['limits'] = {}) =>
  serveEcho(t, echoService(new Map()), { limits, http2Engine: 'own' });

describe('SETTINGS', () => {
  it('that a client does not acknowledge end its connection with SETTINGS_TIMEOUT', async (t) => {
    const serving = await serve(t, { handshakeTimeoutMs: 100 });
    const socket = connect(serving.port, '127.0.0.1');
    closeBefore(serving, () => socket.destroy());
    let received: Buffer = Buffer.alloc(0);
    let isOver = false;
    socket
      .on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
      })
      .on('end', () => {
        isOver = true;
      });
    // Preface and SETTINGS, without the acknowledgement behind them.
    socket.write(beginning().subarray(0, 33));
    assert.ok(await eventually(() => isOver), 'it goes on');
    const goaway = http2FramesOf(received).find(({ type }) => type === 7);
    assert.equal(goaway?.payload.readUInt32BE(4), NGHTTP2_SETTINGS_TIMEOUT);
    socket.end();
  });

  it('that nobody knows here are acknowledged, beside those that are', async (t) => {
    // ENABLE_CONNECT_PROTOCOL (RFC 8441), NO_RFC7540_PRIORITIES (RFC 9218), one that is nobody's.
    const more = Buffer.concat([setting(8, 1), setting(9, 1), setting(0xf0f0, 2 ** 32 - 1)]);
    const client = new RawHttp2(await serve(t), more);
    client.send(http2Frame(4, 0, 0, more));
    await client.settle();
    assert.equal(client.of(4).filter(({ flags }) => flags === 1).length, 2);
    assert.equal(client.goawayCode, undefined);
  });
});

it('a client that waits for 100 (Continue) before its request gets it', async (t) => {
  const client = new RawHttp2(await serve(t));
  client.send(http2Frame(1, 4, 1, callHeaders(unary, { expect: '100-continue' })));
  assert.ok(await eventually(() => client.of(1, 1).length === 1), 'no answer');
  // A literal without an index whose name is the eighth of the static table (RFC 7541 section 6.2.2).
  assert.match(client.of(1, 1)[0]?.payload.toString('latin1') ?? '', /100$/);
  assert.equal(client.of(1, 1)[0]?.flags, 4);
  client.send(http2Frame(0, 1, 1, frame(Buffer.alloc(0))));
  assert.ok(await eventually(() => client.isOver(1)), 'no answer');
});

it('responses that wait for the window of the connection get a frame of it each, in turn', async (t) => {
  const client = new RawHttp2(await serve(t), setting(4, 2 ** 30));
  const large = frame(Buffer.from('38a0c21e', 'hex')); // 500,000 bytes
  const streams = [1, 3, 5];
  for (const stream of streams) {
    client.send(http2Frame(1, 4, stream, callHeaders(unary)), http2Frame(0, 1, stream, large));
  }
  const bytes = (stream?: number) =>
    client.of(0, stream).reduce((sum, { payload }) => sum + payload.length, 0);
  assert.ok(await eventually(() => bytes() === 65_535), `${bytes()} bytes`);
  await client.settle();
  const before = streams.map((stream) => bytes(stream));
  const more = 16_384;
  client.send(http2Frame(8, 0, 0, uint32(streams.length * more)));
  assert.ok(await eventually(() => bytes() === 65_535 + streams.length * more), `${bytes()} bytes`);
  for (const [place, stream] of streams.entries()) {
    const got = bytes(stream) - (before[place] ?? 0);
    assert.ok(Math.abs(got - more) < more / 2, `stream ${stream} got ${got} bytes of ${more}`);
  }
});

it('whoever waits for the socket has room once a write is done, however much has come meanwhile', async () => {
  const writes: (() => void)[] = [];
  const socket = new Duplex({ read() {}, write: (_bytes, _encoding, done) => writes.push(done) });
  const rooms: number[] = [];
  const outbox: Outbox = new Outbox(socket, { flushed: () => rooms.push(outbox.room) });
  const fill = () => {
    while (outbox.room > 0) outbox.data(1, Buffer.alloc(16_384), 0, Math.min(16_384, outbox.room), false);
  };
  fill();
  outbox.flush();
  for (let round = 1; round <= 3; round++) {
    fill();
    writes.shift()?.();
    assert.ok(await eventually(() => rooms.length === round), 'nobody is told');
    assert.ok((rooms.at(-1) ?? 0) > 32_768, `${rooms} bytes of room`);
  }
  socket.destroy();
});
