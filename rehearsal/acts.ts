import type { Effect } from './fault.ts';
import type { Journal } from './journal.ts';
import { type Load, type Sample, tableOf } from './load.ts';

/** A part of a rehearsal, and what came of it. */
export interface Act {
  readonly name: string;
  /** On the clock of `performance.now()`. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** Calls without retries, and how many of them failed. */
  readonly calls: number;
  readonly failed: number;
  /** What should not have been, a line each. */
  readonly problems: readonly string[];
}

/** Problems of an act that are said as it ends; the report has them all. */
const mostSaid = 10;

/** The acts of a rehearsal, one after the other. Whatever goes wrong in one is told, and the next begins. */
export class Acts {
  readonly all: Act[] = [];

  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  get problems(): string[] {
    return this.all.flatMap((act) => act.problems.map((it) => `${act.name}: ${it}`));
  }

  /** An act that nobody calls in. Returns whether all went well. */
  async play(name: string, act: () => Promise<unknown>): Promise<boolean> {
    return this.#play(name, async () => {
      await act();
      return { problems: [], samples: [] };
    });
  }

  /**
   * An act under load.
   *
   * @param bare calls without retries: only those fail that the act lets fail
   * @param patient calls with retries
   */
  async playUnder(bare: Load, patient: Load, name: string, act: () => Promise<Effect>): Promise<boolean> {
    return this.#play(name, async () => {
      const beganMs = performance.now();
      const effect = await act();
      if (effect.hasAftermath) await Promise.all([bare.turn(), patient.turn()]);
      const endedMs = performance.now();
      const problems = [...effect.problems];
      const judge = (load: Load, mayFail: (sample: Sample) => boolean = () => false) => {
        for (const sample of load.during(beganMs, endedMs)) {
          if (sample.error !== undefined && !mayFail(sample))
            problems.push(describe(load.name, sample, beganMs));
        }
      };
      judge(bare, effect.mayFail);
      judge(patient, effect.mayFailPatiently);
      return { problems, samples: bare.during(beganMs, endedMs) };
    });
  }

  async #play(
    name: string,
    act: () => Promise<{ problems: readonly string[]; samples: readonly Sample[] }>,
  ): Promise<boolean> {
    this.#journal.say(`== ${name}`);
    const beganMs = performance.now();
    const { problems, samples } = await act().catch((error: unknown) => {
      return {
        problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
        samples: [],
      };
    });
    const failed = samples.filter((it) => it.error !== undefined).length;
    this.all.push({ name, beganMs, endedMs: performance.now(), calls: samples.length, failed, problems });
    if (samples.length > 0) this.#journal.say(`${name}: ${samples.length} calls, ${failed} failed`);
    if (failed > 0) this.#journal.show(tableOf(samples));
    for (const problem of problems.slice(0, mostSaid)) this.#journal.say(`PROBLEM: ${problem}`);
    if (problems.length > mostSaid) this.#journal.say(`and ${problems.length - mostSaid} problems more`);
    return problems.length === 0;
  }
}

function describe(load: string, { kind, beganMs, endedMs, error }: Sample, actBeganMs: number): string {
  const at = ((beganMs - actBeganMs) / 1000).toFixed(1);
  return `${kind} (${load}) failed, begun ${at} s after the act, after ${(endedMs - beganMs).toFixed(0)} ms: ${error}`;
}
