import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
/** A context made after the flag was set has it: no test needs an option of the command line. */
const gc: () => void = runInNewContext('gc');

/** The place of each copy in the list that keeps it. */
const placeBytes = 8;
/** What is kept together: enough to make what else the process does meanwhile small. */
const keptBytes = 100_000;

/** What else is made meanwhile, by the compiler for example, is not made again. */
const maxAttempts = 4;

/**
 * Fails if a value takes more memory than so many bytes, buffers outside of the heap included. Many copies of it are
 * kept to find out.
 */
export function assertHeapBytes(make: () => unknown, maxBytes: number, what: string): void {
  let bytes = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < maxAttempts && bytes > maxBytes; attempt++) bytes = bytesOf(make, maxBytes);
  assert.ok(bytes <= maxBytes, `${bytes} bytes are taken, and ${maxBytes} may be, by ${what}`);
}

function bytesOf(make: () => unknown, likelyBytes: number): number {
  const copies = Math.max(4, Math.ceil(keptBytes / Math.max(likelyBytes, 64)));
  const kept: unknown[] = Array.from({ length: copies }, () => undefined);
  make(); // what is made once is no copy's
  const before = heapBytes();
  for (let at = 0; at < copies; at++) kept[at] = make();
  const bytes = (heapBytes() - before) / kept.length;
  return bytes - placeBytes;
}

/** What is in use of the heap, and of buffers outside of it, once all is collected that nobody needs. */
export function heapBytes(): number {
  // Something may be let go only by what the first one has found.
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

// The first ones find what the start of the process has left.
heapBytes();
heapBytes();
