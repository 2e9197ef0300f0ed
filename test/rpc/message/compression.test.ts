// Proves that a compressed message becomes no more than it says, and that what it says is bounded in size and in ratio
// before anything is inflated; and that bytes which are no gzip, or lie, or are cut short, are refused, and nothing
// else.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { inflate, inflatedBytes } from '../../../functions/rpc/message/compression.ts';

const limits = { maxInflateRatio: 10, inflateFloorBytes: 5_000 };
const maxBytes = 1_000_000;

async function inflated(bytes: Uint8Array): Promise<Buffer> {
  return inflate(bytes, inflatedBytes(bytes, maxBytes, limits));
}

function isRefused(code: Code, message: RegExp) {
  return (error: unknown) =>
    error instanceof ConnectError && error.code === code && message.test(error.rawMessage);
}

const broken = isRefused(Code.InvalidArgument, /is not what its compression says/);
const tooMuch = isRefused(Code.ResourceExhausted, /inflates to more/);
const tooLarge = isRefused(Code.ResourceExhausted, /larger than/);

/** Compressed bytes that say that they become so many. */
function saying(bytes: number, compressed: Buffer): Buffer {
  const lying = Buffer.from(compressed);
  lying.writeUInt32LE(bytes, lying.length - 4);
  return lying;
}

describe('a compressed message', () => {
  it('is what was compressed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), fc.nat(9), async (payload, level) => {
        assert.deepEqual(await inflated(gzipSync(payload, { level })), Buffer.from(payload));
      }),
    );
  });

  it('may inflate as far as the floor, whatever the ratio, and then as far as the ratio', async () => {
    assert.equal((await inflated(gzipSync(Buffer.alloc(5_000)))).length, 5_000);
    assert.throws(() => inflatedBytes(gzipSync(Buffer.alloc(5_001)), maxBytes, limits), tooMuch);
    // Not compressed at all, it is a little larger than what it becomes.
    const stored = gzipSync(Buffer.alloc(100_000), { level: 0 });
    assert.equal(
      inflatedBytes(saying(10 * stored.length, stored), maxBytes + stored.length, limits),
      10 * stored.length,
    );
    assert.throws(() => inflatedBytes(saying(10 * stored.length + 1, stored), 2 * maxBytes, limits), tooMuch);
  });

  it('may not inflate beyond the largest message', () => {
    const compressed = gzipSync(Buffer.alloc(100_000), { level: 0 });
    assert.equal(inflatedBytes(compressed, 100_000, limits), 100_000);
    assert.throws(() => inflatedBytes(compressed, 99_999, limits), tooLarge);
    assert.throws(() => inflatedBytes(saying(2 ** 32 - 1, compressed), maxBytes, limits), tooLarge);
  });

  it('that becomes more or less than it says is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4_000 }), fc.nat(5_000), async (bytes, said) => {
        fc.pre(bytes !== said);
        await assert.rejects(inflated(saying(said, gzipSync(Buffer.alloc(bytes, 'ab')))), broken);
      }),
    );
  });

  it('that becomes a thousand times more than it says is inflated no further than that', async () => {
    const bomb = saying(100, gzipSync(Buffer.alloc(200_000_000)));
    const before = process.memoryUsage().rss;
    await assert.rejects(inflated(bomb), broken);
    assert.ok(process.memoryUsage().rss - before < 100_000_000, 'it was inflated');
  });

  it('of several members is refused if together they become more than the last one says', async () => {
    const large = gzipSync(Buffer.alloc(4_000));
    const small = gzipSync(Buffer.from('end'));
    await assert.rejects(inflated(Buffer.concat([large, small])), broken);
    await assert.rejects(inflated(Buffer.concat([large, large])), broken);
    // What is no more than that is as RFC 1952 has it: the members follow each other.
    assert.equal(String(await inflated(Buffer.concat([gzipSync(Buffer.alloc(0)), small]))), 'end');
  });

  it('that is cut short, or no gzip, is refused', async () => {
    const whole = gzipSync(Buffer.from('a message, and another message'));
    for (let length = 0; length < whole.length; length++) {
      await assert.rejects(
        async () => inflated(whole.subarray(0, length)),
        (error) => broken(error) || tooLarge(error) || tooMuch(error),
      );
    }
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(100), Buffer.from('x'.repeat(100))]) {
      await assert.rejects(async () => inflated(bytes), broken);
    }
  });

  it('never becomes more than it says, whatever its bytes', async () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(change, { maxLength: 4 }),
        fc.uint8Array({ maxLength: 8 }),
        async (payload, changes, behind) => {
          const bytes = Buffer.concat([gzipSync(payload), behind]);
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          try {
            const said = inflatedBytes(bytes, maxBytes, limits);
            assert.ok((await inflate(bytes, said)).length <= Math.max(1, said));
          } catch (error) {
            assert.ok(error instanceof ConnectError, String(error));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
