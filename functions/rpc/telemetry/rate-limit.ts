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
