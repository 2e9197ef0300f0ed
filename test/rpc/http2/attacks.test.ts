// Proves that our engine stands the known attacks on HTTP/2: each meets a limit and an error that its client can read,
// a client beside it notices nothing, and what it has taken is given back (as the end of every test of a server
// checks).
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { frame } from '../../support/frames.ts';
import { heapBytes } from '../../support/heap.ts';
import { beginning, callHeaders, http2Frame, http2FramesOf } from '../../support/http2-bytes.ts';
import { eventually, patienceMs, withPatience } from '../../support/patience.ts';
import { RawHttp2, setting, uint32 } from '../../support/raw-http2.ts';
import { requestHttp2 } from '../../support/raw-request.ts';
import { closeBefore, type Serving, type ServingOptions } from '../../support/server.ts';
import { serve as serveEcho } from '../echo.ts';
import { echoService } from '../echo-service.ts';

const unary = '/test.echo.v1.Echo/Unary';
const {
  NGHTTP2_CANCEL: cancel,
  NGHTTP2_ENHANCE_YOUR_CALM: enhanceYourCalm,
  NGHTTP2_FLOW_CONTROL_ERROR: flowControlError,
  NGHTTP2_REFUSED_STREAM: refusedStream,
} = http2.constants;
const nothing = Buffer.alloc(0);
const empty = frame(nothing);

/** These are the limits of our engine: node's are others. */
function serve(t: TestContext, limits: ServingOptions['limits'] = {}): Promise<Serving> {
  return serveEcho(t, echoService(new Map()), { limits, http2Engine: 'own' });
}

const headers = (stream: number, flags = 4, more = {}) =>
  http2Frame(1, flags, stream, callHeaders(unary, more));
const data = (stream: number, bytes: Buffer, flags = 0) => http2Frame(0, flags, stream, bytes);
const reset = (stream: number) => http2Frame(3, 0, stream, uint32(cancel));
const windowUpdate = (stream: number, more: number) => http2Frame(8, 0, stream, uint32(more));
/** A message by which Echo waits until the call is over. */
const hang = frame(Buffer.from('4001', 'hex'));

/** So many frames, or groups of them; each has a stream of its own from 1 on. */
function times(count: number, make: (stream: number) => readonly Buffer[]): Buffer[] {
  return Array.from({ length: count }, (_, index) => make(1 + 2 * index)).flat();
}

/** A client beside the attacker has its call answered. */
async function assertHealthy(serving: Serving): Promise<void> {
  const session = http2.connect(serving.url);
  closeBefore(serving, () => session.destroy());
  const call = requestHttp2(session, {
    path: unary,
    headers: { 'content-type': 'application/grpc', te: 'trailers' },
  });
  call.read();
  call.request.end(empty);
  await call.ended;
  assert.equal(call.trailers['grpc-status'], '0');
  session.close();
}

describe('a flood ends its connection with ENHANCE_YOUR_CALM, and no other', () => {
  const unopened = [headers(1), reset(1)];
  const floods: Record<string, () => readonly Buffer[]> = {
    'rapid reset (CVE-2023-44487)': () => times(2_000, (stream) => [headers(stream), reset(stream)]),
    'rapid reset of whole requests': () =>
      times(2_000, (stream) => [headers(stream), data(stream, empty, 1), reset(stream)]),
    'resets that it makes us send: windows that open by nothing (CVE-2025-8671)': () =>
      times(2_000, (stream) => [headers(stream), windowUpdate(stream, 0)]),
    'resets that it makes us send: windows that overflow': () =>
      times(2_000, (stream) => [headers(stream), windowUpdate(stream, 2 ** 31 - 1)]),
    'resets that it makes us send: DATA behind the end': () =>
      times(2_000, (stream) => [headers(stream), data(stream, hang, 1), data(stream, empty)]),
    'resets that it makes us send: more DATA than content-length says': () =>
      times(2_000, (stream) => [headers(stream, 4, { 'content-length': '1' }), data(stream, empty)]),
    'resets that it makes us send: trailers that do not end the request': () =>
      times(2_000, (stream) => [headers(stream), http2Frame(1, 4, stream, nothing)]),
    'resets that it makes us send: requests that are malformed': () =>
      times(2_000, (stream) => [headers(stream, 5, { connection: 'close' })]),
    'headers without names (CVE-2019-9516)': () =>
      times(2_000, (stream) => [
        http2Frame(1, 5, stream, Buffer.concat([callHeaders(unary), Buffer.alloc(3 * 100)])),
      ]),
    'streams beyond the limit': () =>
      times(3_000, (stream) => [headers(stream), ...(stream < 600 ? [data(stream, hang, 1)] : [])]),
    'CONTINUATION without end (CVE-2024-27316)': () => [
      headers(1, 0),
      ...times(1_000, () => [http2Frame(9, 0, 1, Buffer.of(0, 1, 97, 1, 97))]),
    ],
    'CONTINUATION without end, in large frames': () => [
      headers(1, 0),
      ...times(20, () => [http2Frame(9, 0, 1, Buffer.alloc(16_384))]),
    ],
    'CONTINUATION without end, of nothing': () => [
      headers(1, 0),
      ...times(20_000, () => [http2Frame(9, 0, 1, nothing)]),
    ],
    'PING (CVE-2019-9512)': () => times(20_000, () => [http2Frame(6, 0, 0, Buffer.alloc(8))]),
    'answers to PING that nobody has sent': () => times(20_000, () => [http2Frame(6, 1, 0, Buffer.alloc(8))]),
    'SETTINGS (CVE-2019-9515)': () => times(20_000, () => [http2Frame(4, 0, 0, setting(4, 65_535))]),
    'acknowledgements of SETTINGS that nobody has sent': () =>
      times(20_000, () => [http2Frame(4, 1, 0, nothing)]),
    'empty DATA (CVE-2019-9518)': () => [headers(1), ...times(20_000, () => [data(1, nothing)])],
    'empty DATA, padded': () => [headers(1), ...times(20_000, () => [http2Frame(0, 8, 1, Buffer.of(0))])],
    'PRIORITY (CVE-2019-9513)': () => times(20_000, () => [http2Frame(2, 0, 1, Buffer.of(0, 0, 0, 3, 16))]),
    'WINDOW_UPDATE by a byte (CVE-2019-9511)': () => times(20_000, () => [windowUpdate(0, 1)]),
    'unknown frames': () => times(20_000, () => [http2Frame(99, 0, 0, nothing)]),
    GOAWAY: () => times(20_000, () => [http2Frame(7, 0, 0, Buffer.alloc(8))]),
    'header blocks of a stream that is reset': () => [
      headers(1, 4, { 'content-length': '1' }),
      data(1, empty),
      ...times(20_000, () => [http2Frame(1, 5, 1, nothing)]),
    ],
    'resets of a stream that is reset': () => [...unopened, ...times(20_000, () => [reset(1)])],
  };
  for (const [what, frames] of Object.entries(floods)) {
    it(what, async (t) => {
      const serving = await serve(t);
      const attacker = new RawHttp2(serving);
      attacker.send(...frames());
      const healthy = assertHealthy(serving);
      assert.ok(await eventually(() => attacker.isClosed || attacker.goawayCode !== undefined), 'it goes on');
      assert.equal(attacker.goawayCode, enhanceYourCalm, attacker.error?.message);
      await healthy;
    });
  }
});

describe('a client that asks and does not read', () => {
  it('is not asked for more once 256 KiB of answers wait, and is cut in time', async (t) => {
    const serving = await serve(t, { stallTimeoutMs: 1_000 });
    const attacker = new RawHttp2(serving);
    attacker.socket.pause();
    // Each is answered by its headers alone, which take no room in any window.
    let next = 1;
    const unknown = callHeaders('/test.echo.v1.Echo/None');
    const ask = () => {
      while (attacker.socket.writable) {
        const requests: Buffer[] = [];
        for (let count = 0; count < 500; count++, next += 2) requests.push(http2Frame(1, 5, next, unknown));
        if (!attacker.socket.write(Buffer.concat(requests))) break;
      }
    };
    attacker.socket.on('drain', ask);
    ask();
    // The system's buffers are full only after some megabytes of answers.
    const closed = new Promise<true>((resolve) => attacker.socket.once('close', () => resolve(true)));
    assert.ok(await withPatience(closed, 10 * patienceMs), `${next} requests were taken, and it is not cut`);
    await assertHealthy(serving);
  });

  it('gets answers as soon as it reads', async (t) => {
    const serving = await serve(t);
    const client = new RawHttp2(serving);
    client.socket.pause();
    const count = 20_000;
    const unknown = callHeaders('/test.echo.v1.Echo/None');
    for (let index = 0; index < count; index++) client.send(http2Frame(1, 5, 1 + 2 * index, unknown));
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.resume();
    assert.ok(
      await eventually(() => client.of(1).length + client.of(3).length === count),
      'answers are missing',
    );
    assert.equal(client.goawayCode, undefined);
  });

  it('and opens no window loses the call after the stall time-out, and not the connection', async (t) => {
    const serving = await serve(t, { stallTimeoutMs: 200 });
    const client = new RawHttp2(serving, setting(4, 0));
    client.send(headers(1), data(1, empty, 1));
    assert.ok(await eventually(() => client.isOver(1)), 'the call is open');
    assert.equal(client.resetCode(1), cancel);
    assert.equal(client.of(0, 1).length, 0);
    await client.settle();
    assert.equal(client.goawayCode, undefined);
  });
});

describe('windows that overflow (CVE-2026-21714)', () => {
  it('of a stream cost the stream', async (t) => {
    const client = new RawHttp2(await serve(t));
    client.send(headers(1), windowUpdate(1, 2 ** 31 - 1));
    await client.settle();
    assert.equal(client.resetCode(1), flowControlError);
    assert.equal(client.goawayCode, undefined);
  });

  for (const [what, frames] of [
    ['of the connection', [windowUpdate(0, 2 ** 31 - 1)]],
    ['of the connection, by steps', [windowUpdate(0, 2 ** 30), windowUpdate(0, 2 ** 30)]],
    [
      'of a stream, by a setting',
      [headers(1), windowUpdate(1, 2 ** 31 - 1 - 65_535), http2Frame(4, 0, 0, setting(4, 65_536))],
    ],
    ['by a setting', [http2Frame(4, 0, 0, setting(4, 2 ** 31))]],
  ] as const) {
    it(`${what} cost the connection, and no other`, async (t) => {
      const serving = await serve(t);
      const attacker = new RawHttp2(serving);
      attacker.send(...frames);
      assert.ok(await eventually(() => attacker.isClosed));
      assert.equal(attacker.goawayCode, flowControlError);
      await assertHealthy(serving);
    });
  }
});

describe('headers that are too many', () => {
  const literal = (name: string, value: string) =>
    Buffer.concat([
      Buffer.of(0x40, name.length),
      Buffer.from(name),
      integer(0, 0x7f, value.length),
      Buffer.from(value),
    ]);

  it('are answered, and the connection goes on', async (t) => {
    const serving = await serve(t);
    const client = new RawHttp2(serving);
    const block = Buffer.concat([callHeaders(unary), literal('x-long', 'a'.repeat(70_000))]);
    client.send(...inFrames(1, block, 1));
    assert.ok(await eventually(() => client.isOver(1)), 'no answer');
    assert.equal(client.of(1, 1).length, 1, `reset with ${client.resetCode(1)}`);
    await client.settle();
    assert.equal(client.goawayCode, undefined);
  });

  it('by one entry of the table, named thousands of times, take no memory and no connection', async (t) => {
    const serving = await serve(t);
    const client = new RawHttp2(serving);
    // Of each byte the decoder makes 4 KB.
    const bomb = Buffer.concat([
      callHeaders(unary),
      literal('x-bomb', 'a'.repeat(4_000)),
      Buffer.alloc(100_000, 0x80 | 62),
    ]);
    const before = heapBytes();
    client.send(...times(50, (stream) => inFrames(stream, bomb, 0)));
    await client.settle();
    assert.equal(client.goawayCode, undefined);
    assert.ok(heapBytes() - before < 16 * 1024 * 1024, `${heapBytes() - before} bytes`);
    await assertHealthy(serving);
  });

  it('that change the whole table again and again cost their client its own time', async (t) => {
    const serving = await serve(t);
    const client = new RawHttp2(serving);
    const churn = Buffer.concat([
      callHeaders(unary),
      ...Array.from({ length: 5_000 }, (_, index) => literal(`x-${index % 10}`, String(index))),
    ]);
    client.send(...times(50, (stream) => inFrames(stream, churn, 1)));
    await client.settle();
    assert.equal(client.goawayCode, undefined);
    assert.ok(await eventually(() => client.isOver(99)));
    await assertHealthy(serving);
  });
});

describe('streams that are half open', () => {
  it('are as many as they may be, and end in time', async (t) => {
    const serving = await serve(t, { defaultDeadlineMs: 300 });
    const client = new RawHttp2(serving);
    client.send(...times(300, (stream) => [headers(stream)]));
    await client.settle();
    const refused = client.of(3).filter(({ payload }) => payload.readUInt32BE() === refusedStream);
    assert.equal(refused.length, 300 - serving.limits.maxConcurrentStreams);
    // A stream is over once its request is, too: the server gives that up with NO_ERROR.
    assert.ok(await eventually(() => client.of(3).length === 300), 'they are open');
    client.send(headers(1001), data(1001, empty, 1));
    assert.ok(await eventually(() => client.of(0, 1001).length === 1), 'no answer');
  });

  it('within their header block end the connection in time', async (t) => {
    const serving = await serve(t, { handshakeTimeoutMs: 300 });
    const client = new RawHttp2(serving);
    client.send(headers(1, 0));
    assert.ok(await eventually(() => client.isClosed), 'it waits for the rest');
  });
});

it('calls that come in one segment with the resets of all others at the limit: none fails', async (t) => {
  const serving = await serve(t);
  const client = new RawHttp2(serving);
  const count = serving.limits.maxConcurrentStreams;
  client.send(...times(count, (stream) => [headers(stream), data(stream, hang, 1)]));
  await client.settle();
  client.send(
    ...times(count, (stream) => [reset(stream)]),
    ...times(count, (stream) => [headers(stream + 2 * count), data(stream + 2 * count, empty, 1)]),
  );
  const streams = Array.from({ length: count }, (_, index) => 1 + 2 * (count + index));
  assert.ok(await eventually(() => streams.every((it) => client.isOver(it))), 'calls are open');
  assert.deepEqual(client.of(3), []);
  for (const stream of streams) assert.equal(client.of(0, stream).length, 1);
});

describe('a request', () => {
  /** A body, as frames of so many bytes. */
  function pieces(stream: number, bytes: number, pieceBytes: number): Buffer {
    const piece = data(stream, Buffer.alloc(pieceBytes));
    return Buffer.concat(Array.from({ length: bytes / pieceBytes }, () => piece));
  }

  it('in pieces of a byte that nobody reads takes little more than its bytes', async (t) => {
    const serving = await serve(t);
    const client = new RawHttp2(serving);
    const path = '/test.echo.v1.Echo/Bidi';
    // The first message hangs; the others queue, until the call reads no more.
    client.send(http2Frame(1, 4, 1, callHeaders(path)), data(1, hang));
    for (let count = 0; count < 30; count++) client.send(data(1, empty));
    await client.settle();
    const before = heapBytes();
    const bytes = 512 * 1024;
    client.send(pieces(1, bytes, 1));
    await client.settle();
    await client.settle();
    const taken = heapBytes() - before;
    assert.ok(taken < 32 * bytes, `${taken} bytes of memory for ${bytes}`);
    assert.equal(client.goawayCode, undefined);
  });

  it('of one small message that does not end does not keep what came beside it', async (t) => {
    const serving = await serve(t);
    const client = new RawHttp2(serving);
    await client.settle();
    const ignored = http2Frame(99, 0, 0, Buffer.alloc(16_384));
    const before = heapBytes();
    for (let stream = 1; stream < 400; stream += 2) {
      client.send(ignored, ignored, ignored, headers(stream), data(stream, empty)); // in one segment
      await client.settle();
    }
    const taken = heapBytes() - before;
    assert.ok(taken < 200 * 32_768, `${taken} bytes of memory for 200 calls`);
  });

  it('of another length than it says, again and again, takes no room from the connection', async (t) => {
    const serving = await serve(t, { connectionWindowBytes: 100_000 });
    const client = new RawHttp2(serving);
    for (let stream = 1; stream < 60; stream += 2) {
      client.send(headers(stream, 4, { 'content-length': '1' }), data(stream, Buffer.alloc(15_000)));
      await client.settle();
    }
    assert.equal(client.goawayCode, undefined);
  });
});

describe('what is no attack', () => {
  it('a client that tells of each small message that it has read goes on', async (t) => {
    const serving = await serve(t, { glitchBurst: 50 });
    const client = new RawHttp2(serving);
    client.send(http2Frame(1, 4, 1, callHeaders('/test.echo.v1.Echo/Bidi')));
    const one = frame(Buffer.from('1001', 'hex')); // count 1
    for (let count = 1; count <= 100; count++) {
      client.send(data(1, one));
      assert.ok(await eventually(() => client.of(0, 1).length === count), `no ${count}th answer`);
      client.send(windowUpdate(0, 7), windowUpdate(1, 7));
    }
    client.send(data(1, nothing, 1));
    assert.ok(await eventually(() => client.isOver(1)));
    assert.equal(client.goawayCode, undefined);
  });

  it('a client that lets an answer through byte by byte is sent away', async (t) => {
    const serving = await serve(t, { glitchBurst: 50 });
    const client = new RawHttp2(serving, setting(4, 0));
    client.send(headers(1), data(1, frame(Buffer.from('38e807', 'hex')), 1)); // 1,000 bytes
    client.send(...times(200, () => [windowUpdate(1, 1)]));
    assert.ok(await eventually(() => client.isClosed));
    assert.equal(client.goawayCode, enhanceYourCalm);
  });

  it('a request that comes before the client knows of windows smaller than HTTP/2’s own', async (t) => {
    const serving = await serve(t, { streamWindowBytes: 1_000, connectionWindowBytes: 2_000 });
    const message = frame(Buffer.concat([Buffer.from('0ab0ea01', 'hex'), Buffer.alloc(30_000, 97)]));
    const parts = [data(1, message.subarray(0, 16_000)), data(1, message.subarray(16_000), 1)];
    const early = connect(serving.port, '127.0.0.1');
    closeBefore(serving, () => early.destroy());
    let received: Buffer = Buffer.alloc(0);
    early.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
    });
    early.write(Buffer.concat([beginning().subarray(0, 33), headers(1), ...parts]));
    assert.ok(await eventually(() => http2FramesOf(received).some((it) => it.type === 0)), 'no answer');
  });
});

describe('while the server ends its connections', () => {
  it('a call that crosses its last word costs itself, and none of those that were taken', async (t) => {
    const serving = await serve(t);
    const client = new RawHttp2(serving);
    client.send(headers(1));
    await client.settle();
    const drained = serving.server.drain();
    assert.ok(await eventually(() => client.of(7).length === 2), 'there are no two GOAWAYs');
    client.send(headers(3), data(3, empty, 1), windowUpdate(3, 100), reset(3), headers(5), data(5, empty));
    client.send(data(1, empty, 1));
    assert.ok(await eventually(() => client.isOver(1)));
    assert.equal(client.of(0, 1).length, 1, 'the call was lost');
    assert.equal(client.goawayCode, 0);
    client.socket.end();
    await drained;
  });
});

/** RFC 7541 section 5.1. */
function integer(pattern: number, mask: number, value: number): Buffer {
  if (value < mask) return Buffer.of(pattern | value);
  const bytes = [pattern | mask];
  for (let rest = value - mask; ; rest >>>= 7) {
    bytes.push(rest < 128 ? rest : (rest & 127) | 128);
    if (rest < 128) return Buffer.from(bytes);
  }
}

/** A header block that takes as many frames as it must. */
function inFrames(stream: number, block: Buffer, flags: number): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < block.length; at += 16_384) {
    const ends = at + 16_384 >= block.length ? 4 : 0;
    frames.push(
      http2Frame(at === 0 ? 1 : 9, (at === 0 ? flags : 0) | ends, stream, block.subarray(at, at + 16_384)),
    );
  }
  return frames;
}
