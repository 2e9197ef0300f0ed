/** Something whose time ends. */
export interface Timed {
  /** Called once that time has passed, at most `grainMs` late. */
  expire(): void;
}

/** How late a deadline may be noticed: calls whose deadlines are that close share a timer. */
const grainMs = 8;
/** Node's timers take no more, and fire at once instead. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Calls under way, by deadline. Nearly all end long before it: adding a call to a set and deleting it again costs less
 * than a timer for each.
 */
export class DeadlineWheel {
  readonly #slots = new Map<number, Set<Timed>>();

  /** Adds what ends at `atMs`, on the clock of `performance.now()`. If done sooner, it deletes itself from the set. */
  add(timed: Timed, atMs: number): Set<Timed> {
    const index = Math.ceil(atMs / grainMs);
    let slot = this.#slots.get(index);
    if (slot === undefined) {
      slot = new Set();
      this.#slots.set(index, slot);
      const delayMs = Math.ceil(index * grainMs - performance.now());
      // Keeps no process alive: the connections of the calls do.
      setTimeout(() => this.#expire(index), Math.min(maxTimerMs, Math.max(1, delayMs))).unref();
    }
    slot.add(timed);
    return slot;
  }

  /** Everything whose time has not ended yet. */
  list(): Timed[] {
    return [...this.#slots.values()].flatMap((slot) => [...slot]);
  }

  #expire(index: number): void {
    const slot = this.#slots.get(index) ?? [];
    this.#slots.delete(index);
    for (const timed of slot) timed.expire();
  }
}
