import { overloaded } from '../errors.ts';

/** How many calls may wait for something that answers slowly. */
export interface LatencyLimitOptions {
  /** However slow it is, so many may wait: some must, to see that it has become quicker. */
  readonly minCalls: number;
  /** However quick it is, no more may wait. */
  readonly maxCalls: number;
  /** What answers within this time is not slow. */
  readonly slowAfterMs: number;
}

/** Calls of this time are looked at together. */
const windowMs = 100;
/**
 * Looked at is how long the quickest quarter takes: where a part of the calls is slow, such as those of one partition,
 * the others go on.
 */
const quantile = 0.25;
/** Times that are kept of a window. */
const maxSamples = 256;
/** What was usual until now follows what is usual now so slowly. */
const longPart = 1 / 600;
/** How much slower than usual is no trouble yet. */
const tolerance = 2;
/** Refused calls shall come again after this time. */
const pushbackMs = 500;

/**
 * Limits how many calls wait for something slow, such as a store, by how long it takes: once it takes much longer than
 * it used to, some calls fail at once instead of all of them late, and it gets less to do.
 *
 * The limit is that of Gradient2 in https://github.com/Netflix/concurrency-limits: the one before, times the usual time
 * by the time of now, half of it at least, and room for a queue of its square root. Three things differ. It begins with
 * the most, since a store that is quick needs no limit, and doubles once it is quick again; it follows the quickest
 * quarter of the calls; and while fewer than `minCalls` wait, nothing is limited, so that they say nothing. From the
 * most to few it takes a second: a burst of slow first calls refuses nobody.
 */
export class LatencyLimit {
  readonly #options: LatencyLimitOptions;
  readonly #now: () => number;
  #limit: number;
  #waiting = 0;
  #mostWaiting = 0;
  /** What a call of the last window took, and what it usually takes. */
  #longMs = 0;
  #windowAtMs: number;
  #lastEndMs: number;
  #samples: number[] = [];

  /** `now`: the clock, in ms. */
  constructor(options: LatencyLimitOptions, now = () => performance.now()) {
    this.#options = options;
    this.#now = now;
    this.#limit = options.maxCalls;
    this.#windowAtMs = now();
    this.#lastEndMs = this.#windowAtMs;
  }

  /** How many may wait at a time. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits for work, if that may begin.
   *
   * @param work rejects where it fails, and does not throw
   * @param signal of the call. Work that fails once it is aborted has told nothing: it would have taken longer
   * @throws OVERLOADED, or as the work does
   */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const startedAtMs = this.#now();
    if (startedAtMs - this.#windowAtMs >= windowMs) this.#endWindow(startedAtMs);
    if (this.#waiting >= this.#limit) return Promise.reject(overloaded(pushbackMs));
    if (this.#waiting === 0) this.#lastEndMs = startedAtMs;
    this.#waiting += 1;
    if (this.#waiting > this.#mostWaiting) this.#mostWaiting = this.#waiting;
    // No async function: many calls wait at once, and each would keep what it has made.
    return work().then(
      (result) => {
        this.#waiting -= 1;
        this.#lastEndMs = this.#now();
        if (this.#samples.length < maxSamples) this.#samples.push(this.#lastEndMs - startedAtMs);
        return result;
      },
      (error) => {
        this.#waiting -= 1;
        if (!signal?.aborted) this.#lastEndMs = this.#now();
        throw error;
      },
    );
  }

  #endWindow(nowMs: number): void {
    const samples = this.#samples.sort((a, b) => a - b);
    // Where none has ended, each takes at least the time in which none has.
    const quiet = this.#waiting > 0 ? nowMs - this.#lastEndMs : undefined;
    const shortMs = samples[Math.floor(samples.length * quantile)] ?? quiet;
    const mostWaiting = this.#mostWaiting;
    this.#samples = [];
    this.#windowAtMs = nowMs;
    this.#mostWaiting = this.#waiting;
    if (shortMs === undefined) return;
    const { minCalls, maxCalls, slowAfterMs } = this.#options;
    this.#longMs += longPart * (shortMs - this.#longMs);
    // A time of trouble must not become the usual one, once it is over.
    if (this.#longMs > 2 * shortMs) this.#longMs *= 0.95;
    const usualMs = Math.max(slowAfterMs, this.#longMs);
    const gradient = Math.max(0.5, Math.min(1, (tolerance * usualMs) / shortMs));
    this.#limit = Math.min(maxCalls, Math.max(minCalls, this.#wanted(gradient, mostWaiting, shortMs)));
  }

  #wanted(gradient: number, mostWaiting: number, shortMs: number): number {
    const { minCalls, slowAfterMs } = this.#options;
    const limit = this.#limit;
    if (shortMs <= slowAfterMs) return 2 * limit;
    if (gradient < 1) return mostWaiting < minCalls ? limit : gradient * limit;
    // A limit that nobody reaches says nothing.
    return mostWaiting < limit / 2 ? limit : limit + Math.sqrt(limit);
  }
}
