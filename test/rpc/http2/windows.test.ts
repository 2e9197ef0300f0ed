// Proves that windows grow where a path fills them in a round trip, up to their limits and within the memory, and no
// others: the client answers the server's PING when the test says so, as a long path does. Small calls see no PING.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { RpcLimits } from '../../../functions/rpc/limits.ts';
import { frame } from '../../support/frames.ts';
import { callHeaders, http2Frame } from '../../support/http2-bytes.ts';
import { eventually } from '../../support/patience.ts';
import { RawHttp2 } from '../../support/raw-http2.ts';
import type { Serving } from '../../support/server.ts';
import { serve as serveEcho } from '../echo.ts';
import { echoService } from '../echo-service.ts';

const startBytes = 65_535;
const maxFrameBytes = 16_384;
const small = frame(Buffer.from('0a0161', 'hex'));

/** Windows are those of HTTP/2's beginning, and may become four and eight times as large. */
function serve(t: TestContext, limits: Partial<RpcLimits> = {}): Promise<Serving> {
  return serveEcho(t, echoService(new Map()), {
    http2Engine: 'own',
    limits: {
      streamWindowBytes: startBytes,
      connectionWindowBytes: startBytes,
      maxStreamWindowBytes: 4 * startBytes,
      maxConnectionWindowBytes: 8 * startBytes,
      ...limits,
    },
  });
}

/** A message with a text of so many bytes, in its frame. */
function message(textBytes: number): Buffer {
  const length = [(textBytes & 127) | 128, ((textBytes >>> 7) & 127) | 128, textBytes >>> 14];
  return frame(Buffer.concat([Buffer.of(0x0a, ...length), Buffer.alloc(textBytes, 97)]));
}

/** A client that keeps to the windows, and answers PINGs when it is told to. */
class SlowPath extends RawHttp2 {
  readonly #sent = new Map<number, number>();
  #answered = 0;

  /** How much it may send of a stream, and in all, as far as it has heard. */
  room(stream: number): number {
    const granted = this.of(8, stream).reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
    return startBytes + granted - (this.#sent.get(stream) ?? 0);
  }

  /** Begins a call. */
  call(stream: number, method = 'Unary'): void {
    this.send(http2Frame(1, 4, stream, callHeaders(`/test.echo.v1.Echo/${method}`)));
  }

  /** Sends bytes as far as the windows allow, or all. Returns the rest. */
  body(stream: number, bytes: Buffer, isLast = false): Buffer {
    let at = 0;
    while (at < bytes.length) {
      const size = Math.min(bytes.length - at, maxFrameBytes, this.room(stream), this.room(0));
      if (size <= 0) break;
      const ends = isLast && at + size === bytes.length;
      this.send(http2Frame(0, ends ? 1 : 0, stream, bytes.subarray(at, at + size)));
      for (const it of [stream, 0]) this.#sent.set(it, (this.#sent.get(it) ?? 0) + size);
      at += size;
    }
    return bytes.subarray(at);
  }

  /** PINGs of the server. */
  get asked(): Buffer[] {
    return this.of(6)
      .filter(({ flags }) => flags === 0)
      .map(({ payload }) => payload);
  }

  /** Sends what the windows allow, and what they open meanwhile, and only then answers a PING. Returns the rest. */
  async trip(stream: number, bytes: Buffer): Promise<Buffer> {
    let rest = bytes;
    for (let asked = 0; asked < 3 && rest.length > 0; ) {
      rest = this.body(stream, rest);
      await this.settle();
      if (this.asked.length > this.#answered) asked += 1;
    }
    this.answer();
    await this.settle();
    return rest;
  }

  answer(): void {
    for (const payload of this.asked.slice(this.#answered)) this.send(http2Frame(6, 1, 0, payload));
    this.#answered = this.asked.length;
  }
}

describe('on a path that fills them, windows', () => {
  it('grow to twice what came in a round trip, of the stream and of the connection', async (t) => {
    const path = new SlowPath(await serve(t));
    path.call(1);
    const body = message(500_000);
    const rest = await path.trip(1, body);
    // The PING was sent once a window's bytes had come.
    const carried = body.length - rest.length - startBytes;
    for (const stream of [1, 0]) {
      assert.ok(path.room(stream) > startBytes, `${path.room(stream)} bytes of ${stream}`);
      assert.ok(path.room(stream) <= 2 * carried, `${path.room(stream)} bytes of ${stream}`);
    }
  });

  it('grow round trip by round trip, and end at their limits', async (t) => {
    const path = new SlowPath(await serve(t, { maxRequestBytes: 4_000_000 }));
    path.call(1);
    let rest = message(2_000_000);
    const rooms: number[] = [];
    while (rest.length > 0) {
      rest = await path.trip(1, rest);
      rooms.push(path.room(1));
      assert.ok(path.room(1) <= 4 * startBytes, `${path.room(1)} bytes`);
      assert.ok(path.room(0) <= 8 * startBytes, `${path.room(0)} bytes in all`);
    }
    assert.ok(Math.max(...rooms) > 3 * startBytes, `${rooms}`);
    assert.ok(rooms.length < 20, `${rooms}`);
    path.send(http2Frame(0, 1, 1, Buffer.alloc(0)));
    assert.ok(await eventually(() => path.of(0, 1).length > 0), 'no answer');
  });

  it('of a stream that is not read do not grow, and count as held as they are', async (t) => {
    const serving = await serve(t, { maxQueuedMessages: 5 });
    const path = new SlowPath(serving);
    path.call(1, 'Bidi');
    path.body(1, frame(Buffer.from('4001', 'hex'))); // hangs
    // What comes up to the pause fills two windows: a PING is sent, and a window is filled while it is on its way.
    const part = message(30_000);
    let rest: Buffer = Buffer.concat(Array.from({ length: 8 }, () => part));
    while (path.room(1) > 0 && path.room(0) > 0) {
      rest = path.body(1, rest);
      await path.settle();
    }
    assert.equal(path.asked.length, 1);
    const room = path.room(1);
    const held = serving.server.usage.heldBytes;
    assert.ok(held >= startBytes, `${held} bytes`);
    path.answer();
    await path.settle();
    assert.equal(path.room(1), room);
    assert.equal(serving.server.usage.heldBytes, held);
  });

  it('do not grow where the memory has no room for them', async (t) => {
    const path = new SlowPath(await serve(t, { maxHeldBytesPerConnection: 210_000 }));
    path.call(1);
    const rest = await path.trip(1, message(200_000));
    assert.ok(rest.length > 0);
    for (const stream of [1, 0]) assert.ok(path.room(stream) <= startBytes, `${path.room(stream)} bytes`);
  });
});

it('on a path that they do not hold up, windows stay as they are', async (t) => {
  const path = new SlowPath(await serve(t));
  path.call(1);
  let rest = message(900_000);
  let asked = 0;
  while (rest.length > 0) {
    // Each PING is answered before the next part is sent.
    path.answer();
    rest = Buffer.concat([path.body(1, rest.subarray(0, 20_000)), rest.subarray(20_000)]);
    await path.settle();
    asked = path.asked.length;
    assert.ok(path.room(1) <= startBytes && path.room(0) <= startBytes);
  }
  assert.ok(asked > 0, 'nothing was measured');
  // What changes nothing is not done with every part.
  assert.ok(asked <= 6, `${asked} PINGs`);
});

it('small calls see no PING, however many', async (t) => {
  const path = new SlowPath(await serve(t));
  const count = 300;
  for (let index = 0; index < count; index++) {
    const stream = 1 + 2 * index;
    path.call(stream);
    assert.equal(path.body(stream, small, true).length, 0);
    if (index % 100 === 99) await path.settle();
  }
  assert.equal(path.asked.length, 0);
});
