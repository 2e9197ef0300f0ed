/** How long the divisible work of all calls goes on in one turn of the event loop. */
const turnMs = 1.5;

/**
 * Shares the event loop. A call with much work asks now and then whether its turn is over, and if so waits for the next
 * one. Calls that wait take turns, and one that needs little of its turn leaves the rest to the next: were there one
 * in each, those that come would overtake those that wait, and these pile up where admission sees nothing. Between two
 * turns everything else that is ready runs, so that no message, however large, holds up health checks, deadlines and
 * small calls for longer.
 */
export class Turns {
  readonly #now: () => number;
  readonly #waiting: (() => void)[] = [];
  #endsAtMs: number | undefined;
  readonly #next = () => this.#begin();

  /** `now`: the clock, in ms. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Whether this turn's time is used up. The first who asks in a turn starts its clock. */
  get isOver(): boolean {
    const nowMs = this.#now();
    if (this.#endsAtMs === undefined) {
      this.#endsAtMs = nowMs + turnMs;
      setImmediate(this.#next);
    }
    return nowMs >= this.#endsAtMs;
  }

  /** Waits for a turn of one's own, behind those who wait already. */
  next(): Promise<void> {
    if (this.#endsAtMs === undefined) {
      this.#endsAtMs = 0;
      setImmediate(this.#next);
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Gives this turn to those that wait. Work follows right after, when its promise is settled. */
  #begin(): void {
    const go = this.#waiting.shift();
    if (go === undefined) {
      this.#endsAtMs = undefined;
      return;
    }
    this.#endsAtMs = this.#now() + turnMs;
    setImmediate(this.#next);
    go();
    this.#handOnSoon();
  }

  /** All microtasks have been run by then: whoever has gone on is done, or waits again. */
  #handOnSoon(): void {
    if (this.#waiting.length > 0) queueMicrotask(() => process.nextTick(() => this.#handOn()));
  }

  #handOn(): void {
    if (this.#endsAtMs === undefined || this.#now() >= this.#endsAtMs) return;
    this.#waiting.shift()?.();
    this.#handOnSoon();
  }
}
