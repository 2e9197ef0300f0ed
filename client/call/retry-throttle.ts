/** How many retries a client makes when most of its calls fail. */
export interface RetryThrottleOptions {
  /** Tokens at first, and at most. Each failure takes one; retries need more than half of them. Zero: no throttling. */
  readonly maxTokens: number;
  /** The part of a token that each call brings back that goes well. */
  readonly tokenRatio: number;
}

/**
 * Ends retries while most calls to a server fail: a server that has too much to do must not get all calls several
 * times. Each client has one. Attempts that reached no server do not count, as they cost none. Source:
 * https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
 */
export class RetryThrottle {
  readonly #options: RetryThrottleOptions;
  #tokens: number;

  constructor(options: RetryThrottleOptions) {
    this.#options = options;
    this.#tokens = options.maxTokens;
  }

  /** Whether a failed call must not be tried again now. */
  get isThrottling(): boolean {
    const { maxTokens } = this.#options;
    return maxTokens > 0 && this.#tokens <= maxTokens / 2;
  }

  /** A server has answered well. */
  succeeded(): void {
    const { maxTokens, tokenRatio } = this.#options;
    this.#tokens = Math.min(maxTokens, this.#tokens + tokenRatio);
  }

  /** A server has failed a call with what is retried, or has forbidden to retry it. */
  failed(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}
