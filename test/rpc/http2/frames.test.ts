// Proves that the frames of a client are the same wherever the network cuts them, and that what is no HTTP/2 is refused
// at the same place.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ConnectionFault } from '../../../functions/rpc/http2/frame.ts';
import { FrameReader } from '../../../functions/rpc/http2/frame-reader.ts';
import { beginning, http2Frame } from '../../support/http2-bytes.ts';

/** What a reader makes of chunks. Portions of DATA are put together: where they are cut is the network's business. */
function read(chunks: readonly Buffer[]): string[] {
  const seen: string[] = [];
  let open: { flags: number; streamId: number; data: Buffer } | undefined;
  const reader = new FrameReader({
    frame(type, flags, streamId, bytes, from, to) {
      const payload = bytes.subarray(from, to);
      if (type !== 0 || (flags & 8) !== 0) {
        end();
        seen.push(`${type} ${flags} ${streamId} ${payload.toString('hex')}`);
      } else if (open === undefined || open.streamId !== streamId || (open.flags & 1) !== 0) {
        end();
        open = { flags, streamId, data: Buffer.from(payload) };
      } else {
        open.flags |= flags;
        open.data = Buffer.concat([open.data, payload]);
      }
    },
  });
  function end() {
    if (open !== undefined) seen.push(`DATA ${open.flags} ${open.streamId} ${open.data.toString('hex')}`);
    open = undefined;
  }
  try {
    for (const chunk of chunks) reader.read(chunk);
  } catch (error) {
    if (!(error instanceof ConnectionFault)) throw error;
    end();
    seen.push(`fault ${error.code}`);
  }
  end();
  return seen;
}

/** The bytes, cut at these places. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((it) => it % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return sorted.slice(1).map((to, index) => bytes.subarray(sorted[index], to));
}

const frames = (maxPayloadBytes: number) =>
  fc
    .tuple(
      fc.oneof(fc.nat(11), fc.nat(255)),
      fc.nat(255),
      fc.oneof(fc.nat(9), fc.nat(2 ** 31 - 1)),
      fc.uint8Array({ maxLength: maxPayloadBytes, size: 'max' }),
    )
    .map(([type, flags, stream, payload]) => http2Frame(type, flags, stream, Buffer.from(payload)));

it('a short conversation: cut at every byte, and into single bytes', () => {
  fc.assert(
    fc.property(fc.array(frames(20), { maxLength: 6 }), (conversation) => {
      const bytes = Buffer.concat([beginning(), ...conversation]);
      const whole = read([bytes]);
      for (let at = 1; at < bytes.length; at++) assert.deepEqual(read(cutAt(bytes, [at])), whole, `at ${at}`);
      assert.deepEqual(read([...bytes].map((byte) => Buffer.of(byte))), whole);
    }),
    { numRuns: 50 },
  );
});

it('a long conversation: cut anywhere', () => {
  fc.assert(
    fc.property(
      fc.array(frames(16_384), { minLength: 5, maxLength: 30 }),
      fc.array(fc.nat(2 ** 20), { maxLength: 50 }),
      (conversation, places) => {
        const bytes = Buffer.concat([beginning(), ...conversation]);
        assert.deepEqual(read(cutAt(bytes, places)), read([bytes]));
      },
    ),
    { numRuns: 50 },
  );
});

it('the reserved bit before the stream id is ignored', () => {
  const ping = http2Frame(6, 0, 0x8000_0000, Buffer.alloc(8));
  assert.deepEqual(read([beginning(), ping]).at(-1), `6 0 0 ${'00'.repeat(8)}`);
});

it('a frame larger than MAX_FRAME_SIZE is refused before its payload is there', () => {
  const head = http2Frame(0, 0, 1, Buffer.alloc(16_385)).subarray(0, 9);
  assert.deepEqual(read([beginning(), head]).at(-1), 'fault 6');
  assert.deepEqual(
    read([...Buffer.concat([beginning(), head])].map((byte) => Buffer.of(byte))).at(-1),
    'fault 6',
  );
});

it('bytes that are no preface are refused with the first one that is wrong', () => {
  assert.deepEqual(read([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\rX')]), ['fault 1']);
  assert.deepEqual(read([Buffer.from('PRI'), Buffer.from('X')]), ['fault 1']);
});
