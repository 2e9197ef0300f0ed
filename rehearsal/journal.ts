/** Something that happened in a rehearsal. */
export interface Event {
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly text: string;
}

/** What happened, in order: said as it happens, and kept for the report. */
export class Journal {
  readonly beganMs = performance.now();
  readonly events: Event[] = [];
  readonly leftOut = new Set<string>();
  readonly #isQuiet: boolean;

  constructor({ isQuiet = false } = {}) {
    this.#isQuiet = isQuiet;
  }

  say(text: string): void {
    const atMs = performance.now();
    this.events.push({ atMs, text });
    if (!this.#isQuiet) console.log(`${((atMs - this.beganMs) / 1000).toFixed(1).padStart(7)} s  ${text}`);
  }

  /** What helps whoever looks on, and is in the report in another form. */
  show(text: string): void {
    if (!this.#isQuiet) console.log(text);
  }

  /** Something of the deployment that a rehearsal has not, said once. */
  leaveOut(what: string): void {
    if (this.leftOut.has(what)) return;
    this.leftOut.add(what);
    this.say(`left out: ${what}`);
  }
}
