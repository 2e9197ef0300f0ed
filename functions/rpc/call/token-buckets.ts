import type { RpcLimits } from '../limits.ts';

/** How many buckets are looked at, to forget those that are full, when one is added. */
const lookedAt = 8;
/** More than what is lost where a short time is added to one of many years. */
const grainMs = 1e-3;

/** What buckets are made of. */
export type BucketLimits = Pick<
  RpcLimits,
  'tokensPerSecondPerCaller' | 'maxTokensPerCaller' | 'maxCallersWithBuckets'
>;

/**
 * A bucket of tokens for each caller (https://en.wikipedia.org/wiki/Token_bucket). Each holds at most
 * `maxTokensPerCaller`, and gets `tokensPerSecondPerCaller`.
 *
 * Of each bucket one number is kept: when it will be full again. From then on it says nothing, and is forgotten as
 * others come. There are at most `maxCallersWithBuckets`; callers that come beyond them share one bucket. So whoever
 * invents callers takes up no memory, and pays off nobody's debt: it holds up only those that are as new as itself.
 */
export class TokenBuckets {
  readonly #maxBuckets: number;
  readonly #msPerToken: number;
  readonly #maxTokens: number;
  readonly #now: () => number;
  /** When each is full again, in ms. */
  readonly #fullAtMs = new Map<string, number>();
  /** The same of the bucket that callers beyond the limit share. */
  #sharedFullAtMs = Number.NEGATIVE_INFINITY;
  /** Where to look next for buckets that are full. */
  #hand = this.#fullAtMs.entries();

  /** `now`: the clock, in ms. */
  constructor(limits: BucketLimits, now = () => performance.now()) {
    this.#maxBuckets = limits.maxCallersWithBuckets;
    this.#msPerToken = 1000 / limits.tokensPerSecondPerCaller;
    this.#maxTokens = limits.maxTokensPerCaller;
    this.#now = now;
  }

  /** How many are kept. */
  get count(): number {
    return this.#fullAtMs.size;
  }

  /**
   * Takes tokens, also more than there are, if at least `floor` are there: the next ones wait until the debt is paid
   * off.
   *
   * @returns zero, or in how many ms there will be one whole token, and then nothing was taken
   */
  take(caller: string, tokens: number, floor: number): number {
    const nowMs = this.#now();
    let own = this.#fullAtMs.get(caller);
    if (own === undefined && this.#hasRoom(nowMs)) own = nowMs;
    const fullInMs = Math.max(0, (own ?? this.#sharedFullAtMs) - nowMs);
    if (fullInMs > this.#missingMs(floor)) {
      return Math.max(1, Math.ceil(fullInMs - this.#missingMs(1)));
    }
    const fullAtMs = nowMs + fullInMs + tokens * this.#msPerToken;
    if (own === undefined) this.#sharedFullAtMs = fullAtMs;
    else this.#fullAtMs.set(caller, fullAtMs);
    return 0;
  }

  /** Gives back tokens that `take` took. */
  giveBack(caller: string, tokens: number): void {
    const own = this.#fullAtMs.get(caller);
    if (own === undefined) this.#sharedFullAtMs -= tokens * this.#msPerToken;
    else this.#fullAtMs.set(caller, own - tokens * this.#msPerToken);
  }

  /** In which time a bucket fills up that has so many tokens. */
  #missingMs(tokens: number): number {
    return (this.#maxTokens - tokens) * this.#msPerToken + grainMs;
  }

  /** Whether one can be added. A few are looked at each time, so that no newcomer pays for all. */
  #hasRoom(nowMs: number): boolean {
    for (let looked = 0; looked < lookedAt; looked += 1) {
      const { done, value } = this.#hand.next();
      if (done) {
        this.#hand = this.#fullAtMs.entries();
        break;
      }
      if (value[1] <= nowMs) this.#fullAtMs.delete(value[0]);
    }
    return this.#fullAtMs.size < this.#maxBuckets;
  }
}
