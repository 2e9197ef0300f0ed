import { randomFillSync } from 'node:crypto';

/** Random bytes are taken from a store of them: asking the system for each id costs more than a span. */
const pool = Buffer.alloc(4096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}

/** A new trace id: 32 digits of hexadecimal. That all are zero, which is not allowed, does not happen by chance. */
export function newTraceId(): string {
  return randomHex(16);
}

/** A new span id: 16 digits of hexadecimal. */
export function newSpanId(): string {
  return randomHex(8);
}
