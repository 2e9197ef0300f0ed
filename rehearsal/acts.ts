import type { Effect } from './fault.ts';
import type { Journal } from './journal.ts';
import { type Load, type Sample, tableOf } from './load.ts';
import { NotRun } from './tools.ts';

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

/** An act that was played under load: calls that began in it are judged by its effect. */
interface Scene {
  /** Of the act, in the order of all. */
  readonly index: number;
  readonly beganMs: number;
  readonly effect: Effect;
}

/** The acts of a rehearsal, one after the other. Whatever goes wrong in one is told, and the next begins. */
export class Acts {
  readonly all: Act[] = [];

  readonly #journal: Journal;
  #scenes: Scene[] = [];
  /** How many samples of a load have been judged. */
  readonly #judged = new WeakMap<Load, number>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  get problems(): string[] {
    return this.all.flatMap((act) => act.problems.map((it) => `${act.name}: ${it}`));
  }

  /** An act that nobody calls in. Returns whether all went well. */
  async play(name: string, act: () => Promise<unknown>): Promise<boolean> {
    this.#journal.say(`== ${name}`);
    const beganMs = performance.now();
    const problems = await act().then(() => [], problemsOf);
    this.#add({ name, beganMs, endedMs: performance.now(), calls: 0, failed: 0, problems: [] }, problems);
    return problems.length === 0;
  }

  /**
   * An act under load. Calls of each kind must end in it; those that began in it are judged by what it lets fail. Of
   * those that are under way in the end `conclude` tells.
   *
   * @param bare calls without retries: only those fail that the act lets fail
   * @param patient calls with retries
   */
  async playUnder(bare: Load, patient: Load, name: string, act: () => Promise<Effect>): Promise<boolean> {
    this.#journal.say(`== ${name}`);
    const beganMs = performance.now();
    const loads = [bare, patient];
    // What happens in an act befalls its own calls alone: those of the act before have ended.
    await Promise.all(loads.map((it) => it.settled()));
    const effect = await act().catch((error: unknown): Effect => ({ problems: problemsOf(error) }));
    const fromMs = effect.hasAftermath ? performance.now() : beganMs;
    const silent = await Promise.all(
      loads.map(async (load) => {
        const kinds = await load.turn(fromMs);
        return kinds.map((it) => `no call ended of ${it} (${load.name})`);
      }),
    );
    const played = { name, beganMs, endedMs: performance.now(), calls: 0, failed: 0, problems: [] };
    const index = this.#add(played, [...effect.problems, ...silent.flat()]);
    this.#scenes.push({ index, beganMs, effect });
    this.#judge(bare, patient);
    const { calls, failed, problems } = this.all[index] ?? played;
    this.#journal.say(`${name}: ${calls} calls, ${failed} failed`);
    const most = effect.mostFailedPart ?? 1;
    if (failed > calls * most) {
      this.#tell(index, [`${failed} of ${calls} calls failed, more than ${most * 100} in a hundred`]);
    }
    return problems.length === 0 && failed <= calls * most;
  }

  /** Judges what was under way when the last act ended. The loads must have stopped. */
  conclude(bare: Load, patient: Load): void {
    this.#judge(bare, patient);
    this.#scenes = [];
  }

  /** Judges the calls that have ended since the last time, each by the act that it began in. */
  #judge(bare: Load, patient: Load): void {
    const problems = new Map<number, string[]>();
    const failures: Sample[] = [];
    for (const load of [bare, patient]) {
      const from = this.#judged.get(load) ?? 0;
      this.#judged.set(load, load.samples.length);
      for (const sample of load.samples.slice(from)) {
        // The first act has those, too, that began just before it.
        const scene = this.#scenes.findLast((it) => it.beganMs <= sample.beganMs) ?? this.#scenes[0];
        const act = scene && this.all[scene.index];
        if (!act) continue;
        const isFailed = sample.error !== undefined;
        if (load === bare) {
          const failed = act.failed + Number(isFailed);
          this.all[scene.index] = { ...act, calls: act.calls + 1, failed };
          if (isFailed) failures.push(sample);
        }
        const mayFail = load === bare ? scene.effect.mayFail : scene.effect.mayFailPatiently;
        if (!isFailed || mayFail?.(sample)) continue;
        const found = problems.get(scene.index) ?? [];
        problems.set(scene.index, [...found, describe(load.name, sample, act.beganMs)]);
      }
    }
    if (failures.length > 0) this.#journal.show(tableOf(failures));
    for (const [index, found] of problems) this.#tell(index, found);
  }

  /** Returns its index. */
  #add(act: Act, problems: readonly string[]): number {
    const index = this.all.push(act) - 1;
    this.#tell(index, problems);
    return index;
  }

  #tell(index: number, problems: readonly string[]): void {
    const act = this.all[index];
    if (!act) throw new Error(`there is no act ${index}`);
    this.all[index] = { ...act, problems: [...act.problems, ...problems] };
    const name = index === this.all.length - 1 ? '' : `${act.name}: `;
    for (const problem of problems.slice(0, mostSaid)) this.#journal.say(`PROBLEM: ${name}${problem}`);
    if (problems.length > mostSaid) this.#journal.say(`and ${problems.length - mostSaid} problems more`);
  }
}

function problemsOf(error: unknown): string[] {
  // It says what is missing, or to be left out: where it was thrown helps nobody.
  if (error instanceof NotRun) return [`NOT RUN: ${error.message}`];
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}

function describe(load: string, { kind, beganMs, endedMs, error }: Sample, actBeganMs: number): string {
  const at = ((beganMs - actBeganMs) / 1000).toFixed(1);
  return `${kind} (${load}) failed, begun ${at} s after the act, after ${(endedMs - beganMs).toFixed(0)} ms: ${error}`;
}
