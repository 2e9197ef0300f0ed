/** A call that is under way. */
export interface RunningCall {
  /** Called once its deadline has passed, at most `grainMs` late. */
  expire(): void;
}

/** How late a deadline may be noticed: calls whose deadlines are that close share a timer. */
const grainMs = 8;
/** Node's timers take no more, and fire at once instead. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * The calls that are under way, by deadline. Nearly all calls end long before it: a timer of its own for
 * each would cost more than adding it to a set and taking it out again.
 */
export class RunningCalls<Call extends RunningCall> {
  readonly #untimed = new Set<Call>();
  readonly #slots = new Map<number, Set<Call>>();

  /** `deadlineAtMs`: on the clock of `performance.now()`; infinite for none. Delete the call from the set at its end. */
  add(call: Call, deadlineAtMs: number): Set<Call> {
    const slot = Number.isFinite(deadlineAtMs)
      ? this.#slotAt(Math.ceil(deadlineAtMs / grainMs))
      : this.#untimed;
    slot.add(call);
    return slot;
  }

  /** All of them, as they are now. */
  list(): Call[] {
    return [this.#untimed, ...this.#slots.values()].flatMap((slot) => [...slot]);
  }

  #slotAt(index: number): Set<Call> {
    let slot = this.#slots.get(index);
    if (slot === undefined) {
      slot = new Set();
      this.#slots.set(index, slot);
      const delayMs = index * grainMs - performance.now();
      // Keeps no process alive: the connections of the calls do.
      setTimeout(() => this.#expire(index), Math.min(maxTimerMs, Math.max(1, Math.ceil(delayMs)))).unref();
    }
    return slot;
  }

  #expire(index: number): void {
    const slot = this.#slots.get(index) ?? [];
    this.#slots.delete(index);
    for (const call of slot) call.expire();
  }
}
