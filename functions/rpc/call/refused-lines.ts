import { statusName } from './status.ts';

/** Callers that are counted by name; the others of that second are counted together. */
const maxNames = 20;
/** Under this all other callers are counted. No caller has that id: each begins with its kind. */
const others = 'others';

/** The calls of one second that had no line. */
interface UntoldCalls {
  readonly calls: number;
  /** How many of each code. */
  readonly codes: Readonly<Record<string, number>>;
  /** How many of each caller by its id, where callers are known. */
  readonly byCaller: Readonly<Record<string, number>>;
}

/**
 * Bounds the lines of calls that can be made without end, because nothing meters them. Some each second have their
 * lines, the rest are counted.
 */
export class RefusedLines {
  readonly #maxPerSecond: number;
  readonly #tell: (untold: UntoldCalls) => void;
  #timer: NodeJS.Timeout | undefined;
  #lines = 0;
  #untold = 0;
  readonly #codes = new Map<string, number>();
  readonly #callers = new Map<string, number>();

  /** `tell` is given, at the end of a second, the calls that had no line, if there are any. */
  constructor(maxPerSecond: number, tell: (untold: UntoldCalls) => void) {
    this.#maxPerSecond = maxPerSecond;
    this.#tell = tell;
  }

  /** Whether a call has a line; if not, it is counted. `callerId`: who made it, if that is known. */
  admits(status: number, callerId: string | undefined): boolean {
    this.#lines += 1;
    if (this.#lines <= this.#maxPerSecond) {
      this.#keepTime();
      return true;
    }
    this.count(status, 1);
    if (callerId !== undefined) {
      const hasName = this.#callers.size < maxNames || this.#callers.has(callerId);
      add(this.#callers, hasName ? callerId : others, 1);
    }
    return false;
  }

  /** Counts calls that have no line. */
  count(status: number, calls: number): void {
    this.#keepTime();
    this.#untold += calls;
    add(this.#codes, statusName(status), calls);
  }

  /** A second begins with the first call in it. */
  #keepTime(): void {
    this.#timer ??= setTimeout(() => this.#begin(), 1_000).unref();
  }

  #begin(): void {
    this.#timer = undefined;
    if (this.#untold > 0) {
      this.#tell({
        calls: this.#untold,
        codes: Object.fromEntries(this.#codes),
        byCaller: Object.fromEntries(this.#callers),
      });
    }
    this.#lines = 0;
    this.#untold = 0;
    this.#codes.clear();
    this.#callers.clear();
  }
}

function add(counts: Map<string, number>, name: string, calls: number): void {
  counts.set(name, (counts.get(name) ?? 0) + calls);
}
