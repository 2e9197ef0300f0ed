import { setTimeout as sleep } from 'node:timers/promises';

/** One kind of call, made again and again. A call throws when it fails or is answered wrongly. */
export interface CallKind extends Disposable {
  readonly name: string;
  /** Makes one call. */
  call(): Promise<void>;
}

/** Calls of every kind that a service has. */
export interface Calls {
  readonly kinds: readonly CallKind[];
  /** Default: nothing that a call does is there afterwards */
  lost?(): Promise<Kept>;
}

/** What calls have left behind. */
export interface Kept {
  /** How much was acknowledged. */
  readonly acknowledged: number;
  /** What of it is not there: a line for each. */
  readonly lost: readonly string[];
}

/** A call that has ended. Times are on the clock of `performance.now()`. */
export interface Sample {
  readonly kind: string;
  readonly beganMs: number;
  readonly endedMs: number;
  /** Why it failed. */
  readonly error?: unknown;
}

/** Between two calls of a kind, on average. */
export const pauseMs = 150;

const lookMs = 100;

/** A kind of call of which none has ended for so long is told as silent. */
const mostTurnMs = 120_000;

/** Calls of every kind, each kind one after the other, until they are stopped. */
export class Load {
  readonly name: string;
  /** The calls that have ended, in that order. */
  readonly samples: Sample[] = [];

  readonly #calls: Calls;
  readonly #stop = new AbortController();
  #running: Promise<void>[] = [];
  readonly #underWay = new Map<CallKind, Promise<unknown>>();

  constructor(name: string, calls: Calls) {
    this.name = name;
    this.#calls = calls;
  }

  /** Makes the first call, which others may look for, and begins. */
  async start(): Promise<void> {
    await this.#calls.kinds[0]?.call();
    this.#running = this.#calls.kinds.map((kind) => this.#repeat(kind));
  }

  /** The calls that are under way now have ended. Others may have begun since. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  /**
   * Waits until a call of each kind has begun and ended since a time, which is now unless `fromMs` says otherwise.
   *
   * @returns the kinds of which none has, within two minutes unless `mostMs` says otherwise
   */
  async turn(fromMs = performance.now(), mostMs = mostTurnMs): Promise<string[]> {
    const untilMs = performance.now() + mostMs;
    const kinds = new Set(this.#calls.kinds.map((it) => it.name));
    const first = this.samples.findIndex((it) => it.endedMs >= fromMs);
    let seen = first < 0 ? this.samples.length : first;
    for (;;) {
      for (; seen < this.samples.length; seen++) {
        const sample = this.samples[seen];
        if (sample && sample.beganMs >= fromMs) kinds.delete(sample.kind);
      }
      if (kinds.size === 0 || this.#stop.signal.aborted || performance.now() > untilMs) return [...kinds];
      await sleep(lookMs);
    }
  }

  /** Lets the calls under way end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  /** Undefined where calls leave nothing behind. */
  get lost(): (() => Promise<Kept>) | undefined {
    return this.#calls.lost?.bind(this.#calls);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const kind of this.#calls.kinds) kind[Symbol.dispose]();
  }

  async #repeat(kind: CallKind): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const beganMs = performance.now();
      const ended = kind.call().then(
        () => undefined,
        (reason: unknown) => reason ?? new Error('no reason'),
      );
      const told = ended.then((error) => {
        this.samples.push({ kind: kind.name, beganMs, endedMs: performance.now(), error });
      });
      this.#underWay.set(kind, told);
      await told;
      await sleep(Math.random() * 2 * pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** What came of the calls of each kind, as a table. */
export function tableOf(samples: readonly Sample[]): string {
  const kinds = [...new Set(samples.map((it) => it.kind))].sort();
  const row = (name: string, of: readonly Sample[]) => {
    const failed = of.filter((it) => it.error !== undefined).length;
    const longest = of.reduce((most, it) => Math.max(most, it.endedMs - it.beganMs), 0);
    const counts = [of.length, failed].map((it) => String(it).padStart(8)).join('');
    return `${name.padEnd(34)}${counts}${`${longest.toFixed(0)} ms`.padStart(11)}`;
  };
  return [
    `${''.padEnd(34)}${'calls'.padStart(8)}${'failed'.padStart(8)}${'longest'.padStart(11)}`,
    ...kinds.map((kind) =>
      row(
        kind,
        samples.filter((it) => it.kind === kind),
      ),
    ),
    row('in all', samples),
  ].join('\n');
}
