/** A timer as the code under test sees it. */
interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
  unref(): Timer;
}

/**
 * Takes the place of the process's clock and timers, so that hours of time-outs take no time and whatever is still set
 * can be counted.
 */
export class VirtualTime {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  constructor() {
    const set = (fire: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const timer: Timer = {
        atMs: this.#nowMs + Math.max(1, ms),
        fire: () => fire(...args),
        unref: () => timer,
      };
      this.#timers.add(timer);
      return timer;
    };
    Object.assign(globalThis, {
      setTimeout: set,
      clearTimeout: (timer: Timer) => this.#timers.delete(timer),
    });
    performance.now = () => this.#nowMs;
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass: what is due fires, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers) {
        if (timer.atMs <= untilMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
      }
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fire();
    }
    this.#nowMs = untilMs;
  }

  /** Forgets all timers. */
  clear(): void {
    this.#timers.clear();
  }
}
