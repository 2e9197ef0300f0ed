/** How many buckets are looked at, to forget those that are full, when one is added. */
const lookedAt = 8;
/** More than what is lost where a short time is added to one of many years. */
const grainMs = 1e-3;

/** What buckets are made of. */
export interface BucketOptions {
  readonly tokensPerSecond: number;
  /** How many tokens one holds at most, and has at first. */
  readonly maxTokens: number;
  /** How many buckets are kept that are not full, some 150 bytes each. */
  readonly maxBuckets: number;
}

/** What came of a loan. */
export interface Loan {
  /** Zero, or in how many ms there will be one whole token, and then nothing was taken. */
  readonly waitMs: number;
  /** Gives back what was taken; call it once. Tokens that came in again, as the bucket filled up, it adds no more. */
  giveBack(): void;
}

/** From a moment at which it was full to the next. Loans hold on to theirs, so they never change a later one. */
interface Bucket {
  fullAtMs: number;
}

/**
 * A bucket of tokens for each key (https://en.wikipedia.org/wiki/Token_bucket), such as the id of a caller.
 *
 * Of each bucket one number is kept: when it will be full again. From then on it says nothing, and is forgotten as
 * others come. There are at most `maxBuckets`; keys that come beyond them share one bucket. So whoever invents keys
 * takes up no memory, and pays off nobody's debt: it holds up only those that are as new as itself.
 */
export class TokenBuckets {
  readonly #maxBuckets: number;
  readonly #msPerToken: number;
  readonly #maxTokens: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();
  /** The bucket that keys beyond the limit share. */
  #shared: Bucket = { fullAtMs: Number.NEGATIVE_INFINITY };
  /** Where to look next for buckets that are full. */
  #hand = this.#buckets.entries();

  /** `now`: the clock, in ms. */
  constructor(options: BucketOptions, now = () => performance.now()) {
    this.#maxBuckets = options.maxBuckets;
    this.#msPerToken = 1000 / options.tokensPerSecond;
    this.#maxTokens = options.maxTokens;
    this.#now = now;
  }

  /** How many are kept. */
  get count(): number {
    return this.#buckets.size;
  }

  /**
   * Takes tokens, also more than there are, if at least `floor` are there: the next ones wait until the debt is paid
   * off.
   *
   * @returns zero, or in how many ms there will be one whole token, and then nothing was taken
   */
  take(key: string, tokens: number, floor: number): number {
    const nowMs = this.#now();
    return this.#takeOf(this.#bucketOf(key, nowMs), tokens, floor, nowMs);
  }

  /** Whether a bucket has so many tokens. Nothing is taken, and of keys that have never taken any nothing is kept. */
  has(key: string, tokens: number): boolean {
    const isShared = this.#buckets.size >= this.#maxBuckets;
    const bucket = this.#buckets.get(key) ?? (isShared ? this.#shared : undefined);
    return bucket === undefined || bucket.fullAtMs - this.#now() <= this.#missingMs(tokens);
  }

  /** Takes tokens that may turn out not to be owed, if as many are there. */
  lend(key: string, tokens: number): Loan {
    const nowMs = this.#now();
    const bucket = this.#bucketOf(key, nowMs);
    const waitMs = this.#takeOf(bucket, tokens, tokens, nowMs);
    return {
      waitMs,
      giveBack: () => {
        if (waitMs === 0) bucket.fullAtMs -= tokens * this.#msPerToken;
      },
    };
  }

  #takeOf(bucket: Bucket, tokens: number, floor: number, nowMs: number): number {
    const fullInMs = bucket.fullAtMs - nowMs;
    if (fullInMs > this.#missingMs(floor)) {
      return Math.max(1, Math.ceil(fullInMs - this.#missingMs(1)));
    }
    bucket.fullAtMs += tokens * this.#msPerToken;
    return 0;
  }

  /** The bucket of a key, which fills up now at the earliest. */
  #bucketOf(key: string, nowMs: number): Bucket {
    const own = this.#buckets.get(key);
    if (own !== undefined && own.fullAtMs > nowMs) return own;
    if (own !== undefined || this.#hasRoom(nowMs)) {
      const full = { fullAtMs: nowMs };
      this.#buckets.set(key, full);
      return full;
    }
    if (this.#shared.fullAtMs <= nowMs) this.#shared = { fullAtMs: nowMs };
    return this.#shared;
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
        this.#hand = this.#buckets.entries();
        break;
      }
      if (value[1].fullAtMs <= nowMs) this.#buckets.delete(value[0]);
    }
    return this.#buckets.size < this.#maxBuckets;
  }
}
