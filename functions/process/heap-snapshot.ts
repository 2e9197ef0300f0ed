import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { getHeapSnapshot } from 'node:v8';
import type { ProcessLimits } from './limits.ts';

/** Why there is no snapshot now. */
export type SnapshotRefusal = { readonly retryAfterMs: number };

/**
 * Takes snapshots of the heap, one at a time and with a pause after each. A snapshot holds all that is in memory,
 * secrets too. It stops the process while it is taken, and needs memory of its own, about as much as the heap.
 */
export class HeapSnapshots {
  readonly #limits: Pick<ProcessLimits, 'heapSnapshotPauseMs'>;
  #isUnderWay = false;
  #endedAtMs = Number.NEGATIVE_INFINITY;

  constructor(limits: Pick<ProcessLimits, 'heapSnapshotPauseMs'>) {
    this.#limits = limits;
  }

  /** Takes one, as the JSON that Chrome's developer tools open; whoever gets it reads it to its end, or destroys it. */
  take(): Readable | SnapshotRefusal {
    const sinceMs = performance.now() - this.#endedAtMs;
    if (this.#isUnderWay) return { retryAfterMs: this.#limits.heapSnapshotPauseMs };
    if (sinceMs < this.#limits.heapSnapshotPauseMs) {
      return { retryAfterMs: this.#limits.heapSnapshotPauseMs - sinceMs };
    }
    this.#isUnderWay = true;
    const snapshot = getHeapSnapshot();
    const end = () => {
      this.#isUnderWay = false;
      this.#endedAtMs = performance.now();
    };
    once(snapshot, 'close').then(end, end);
    return snapshot;
  }
}
