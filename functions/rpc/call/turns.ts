/** How long work that can be cut up goes on in one turn of the event loop, all calls together. */
const turnMs = 3;

/**
 * Shares the event loop. Whoever has more work than a small call looks now and then whether the turn is over, and then
 * waits for the next one; those that wait take turns. Between two of them, everything else that is ready has its turn:
 * no message, however large, holds up health checks, deadlines and small calls for longer.
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

  /** One of those that wait has this turn: what it does follows in the promise's own turn, right after. */
  #begin(): void {
    const go = this.#waiting.shift();
    if (go === undefined) {
      this.#endsAtMs = undefined;
      return;
    }
    this.#endsAtMs = this.#now() + turnMs;
    setImmediate(this.#next);
    go();
  }
}
