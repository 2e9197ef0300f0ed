import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { consoleLimits } from './limits.ts';

/**
 * To the microsecond, and two digits of what is larger: so a second of calls takes some 20 kB, however many there are.
 */
const range = { lowest: 1, highest: 3_600_000_000, figures: 2 };

/** How long the calls of the last seconds took. */
export class Latencies {
  /** One for each second of the window, used in turn. */
  readonly #seconds: { second: number; readonly calls: RecordableHistogram }[] = [];
  readonly #now: () => number;

  /** `now`: the clock, in ms. Default: `performance.now`. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    for (let at = 0; at < consoleLimits.latencyWindowSeconds; at += 1) {
      this.#seconds.push({ second: Number.NEGATIVE_INFINITY, calls: createHistogram(range) });
    }
  }

  record(ms: number): void {
    const second = Math.floor(this.#now() / 1000);
    const slot = this.#seconds[second % this.#seconds.length];
    if (slot === undefined) return;
    if (slot.second !== second) slot.calls.reset();
    slot.second = second;
    slot.calls.record(Math.min(range.highest, Math.max(range.lowest, Math.round(ms * 1000))));
  }

  /** In ms; `undefined` if no call has ended in the window. */
  percentiles(): { readonly p50Ms: number | undefined; readonly p99Ms: number | undefined } {
    const first = Math.floor(this.#now() / 1000) - this.#seconds.length;
    const all = createHistogram(range);
    for (const { second, calls } of this.#seconds) if (second > first) all.add(calls);
    if (all.count === 0) return { p50Ms: undefined, p99Ms: undefined };
    return { p50Ms: all.percentile(50) / 1000, p99Ms: all.percentile(99) / 1000 };
  }
}
