/** What a double has been asked for since it was started. */
export interface Counts {
  /** Requests, by action; those that were refused among them. */
  readonly requests: Readonly<Record<string, number>>;
  /** Items that were looked for. */
  readonly readItems: number;
  readonly readUnits: number;
  /** Of the table, and of its index. */
  readonly writeUnits: number;
  readonly indexWriteUnits: number;
  /** Requests that were refused for want of units, and keys that batches left out. */
  readonly throttledRequests: number;
  readonly leftOutKeys: number;
}

/** What goes wrong on purpose: with `everyN` of 3, each third one. 0: nothing. */
export interface Faults {
  /** How long each answer waits. */
  readonly delayMs: number;
  /** Requests that are throttled, and that fail with status 500. */
  readonly throttleEvery: number;
  readonly failEvery: number;
  /** Keys of batches that are left out. */
  readonly leaveOutEvery: number;
  /** Transactions that conflict with another. */
  readonly conflictEvery: number;
}

export const noFaults: Faults = {
  delayMs: 0,
  throttleEvery: 0,
  failEvery: 0,
  leaveOutEvery: 0,
  conflictEvery: 0,
};

type Turn = Exclude<keyof Faults, 'delayMs'>;

/** Counts what is asked for, and says whose turn it is to fail. */
export class Meter {
  faults: Faults = noFaults;
  readonly #requests: Record<string, number> = {};
  readonly #turns: Record<Turn, number> = {
    throttleEvery: 0,
    failEvery: 0,
    leaveOutEvery: 0,
    conflictEvery: 0,
  };
  #readItems = 0;
  #readUnits = 0;
  #writeUnits = 0;
  #indexWriteUnits = 0;
  #throttled = 0;
  #leftOut = 0;

  counts(): Counts {
    return {
      requests: { ...this.#requests },
      readItems: this.#readItems,
      readUnits: this.#readUnits,
      writeUnits: this.#writeUnits,
      indexWriteUnits: this.#indexWriteUnits,
      throttledRequests: this.#throttled,
      leftOutKeys: this.#leftOut,
    };
  }

  requested(action: string): void {
    this.#requests[action] = (this.#requests[action] ?? 0) + 1;
  }

  read(items: number, units: number): void {
    this.#readItems += items;
    this.#readUnits += units;
  }

  wrote(units: number): void {
    this.#writeUnits += units;
  }

  wroteIndex(units: number): void {
    this.#indexWriteUnits += units;
  }

  throttled(): void {
    this.#throttled += 1;
  }

  leftOut(keys: number): void {
    this.#leftOut += keys;
  }

  throttles = (): boolean => this.#isTurn('throttleEvery');
  fails = (): boolean => this.#isTurn('failEvery');
  leavesOut = (): boolean => this.#isTurn('leaveOutEvery');
  conflicts = (): boolean => this.#isTurn('conflictEvery');

  #isTurn(turn: Turn): boolean {
    const every = this.faults[turn];
    if (every === 0) return false;
    this.#turns[turn] += 1;
    return this.#turns[turn] % every === 0;
  }
}
