/** Admits so many each second, the first ones. */
export class RateLimit {
  readonly #maxPerSecond: number;
  #second = 0;
  #admitted = 0;

  constructor(maxPerSecond: number) {
    this.#maxPerSecond = maxPerSecond;
  }

  /** Whether there is room for one more. `nowMs`: on the clock of `performance.now()`. */
  admits(nowMs = performance.now()): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#admitted = 0;
    }
    if (this.#admitted >= this.#maxPerSecond) return false;
    this.#admitted += 1;
    return true;
  }
}

/** Of what is free in a second, a client may have had so many times as much. */
const shareOfFree = 3;

/**
 * Admits so many each second, of all clients together. Whoever has had much leaves the rest to others: a client is
 * admitted while it has had less than three times what is free (dynamic thresholds, https://doi.org/10.1109/90.664262).
 * So one alone has some three quarters of all, and one that comes later still finds something.
 */
export class SharedRateLimit {
  readonly #maxPerSecond: number;
  #second = 0;
  #admitted = 0;
  /** Of this second; those that were admitted once at least. */
  readonly #byClient = new Map<string, number>();

  constructor(maxPerSecond: number) {
    this.#maxPerSecond = maxPerSecond;
  }

  /** Whether there is room for one more of this client. `nowMs`: on the clock of `performance.now()`. */
  admits(client: string, nowMs = performance.now()): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#admitted = 0;
      this.#byClient.clear();
    }
    const own = this.#byClient.get(client) ?? 0;
    if (own >= (this.#maxPerSecond - this.#admitted) * shareOfFree) return false;
    this.#admitted += 1;
    this.#byClient.set(client, own + 1);
    return true;
  }
}
