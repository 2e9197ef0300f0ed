import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { getHeapSnapshot } from 'node:v8';
import type { ProcessLimits } from './limits.ts';

/** Why there is no snapshot now. */
export type SnapshotRefusal = { readonly retryAfterMs: number };

/** Nobody knows when the one that is under way ends. */
const leastRetryAfterMs = 1_000;

/**
 * Takes snapshots of the heap, one at a time and with a pause after each. A snapshot holds all that is in memory,
 * secrets too. It stops the process while it is taken, and needs memory of its own, about as much as the heap.
 */
export class HeapSnapshots {
  readonly #limits: Pick<ProcessLimits, 'heapSnapshotPauseMs'>;
  readonly #snapshotOfHeap: () => Readable;
  #isUnderWay = false;
  #endedAtMs = Number.NEGATIVE_INFINITY;

  /** `snapshotOfHeap`: takes one. Default: node's. */
  constructor(
    limits: Pick<ProcessLimits, 'heapSnapshotPauseMs'>,
    snapshotOfHeap: () => Readable = getHeapSnapshot,
  ) {
    this.#limits = limits;
    this.#snapshotOfHeap = snapshotOfHeap;
  }

  /**
   * Takes one, as the JSON that Chrome's developer tools open; whoever gets it reads it to its end, or destroys it.
   *
   * @throws what node throws if it can't; then another may be taken at once
   */
  take(): Readable | SnapshotRefusal {
    const { heapSnapshotPauseMs } = this.#limits;
    const sinceMs = performance.now() - this.#endedAtMs;
    if (this.#isUnderWay) return { retryAfterMs: Math.max(heapSnapshotPauseMs, leastRetryAfterMs) };
    if (sinceMs < heapSnapshotPauseMs) return { retryAfterMs: heapSnapshotPauseMs - sinceMs };
    const snapshot = this.#snapshotOfHeap();
    this.#isUnderWay = true;
    const end = () => {
      this.#isUnderWay = false;
      this.#endedAtMs = performance.now();
    };
    once(snapshot, 'close').then(end, end);
    return snapshot;
  }
}
