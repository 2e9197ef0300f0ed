import type { Attack, AttackReport } from './attack.ts';
import type { QuietFigures } from './quiet-client.ts';
import type { CpuTimes, WatchedServer } from './watched-server.ts';

/** What is asked of the server while it is attacked, and after. */
export const bounds = {
  /** The quiet client's slowest call, on a machine of normal speed that does nothing else. */
  slowestMs: 250,
  /** Of a container of 512 MiB. */
  peakMiB: 300,
  /** From the end of the attack until calls are as quick as before. */
  recoveryMs: 2_000,
  /**
   * What may stay of an attack that is over: compiled code, caches, lines of the log. What attacks hold is far more.
   */
  keptMiB: 20,
} as const;

/** How an attack went. */
export interface Course {
  /** @see machineSlowness */
  readonly slowness: number;
  /** @see stretchOf */
  readonly stretch: number;
  /** For how long the quiet client itself was kept from running, at most. */
  readonly lagMs: number;
  readonly before: QuietFigures;
  readonly during: QuietFigures;
  readonly after: QuietFigures;
  /** After how long calls were as quick as before; undefined if they were not in time. */
  readonly recoveredMs: number | undefined;
  /** @see quickMs */
  readonly quickAgainMs: number;
  /** One for each attack. */
  readonly reports: readonly AttackReport[];
  readonly idleMiB: number;
  readonly peakMiB: number;
  readonly keptMiB: number;
  /** What ended the process though nobody had told it to. */
  readonly diedOf: string | undefined;
  /** How the process ended, told to or not. */
  readonly end: string;
}

/**
 * What a call may take after the attack to be as quick as before: chance makes it twice as long, or some ms longer, and
 * what others took of the cores since (`stretchOf`) longer again.
 */
export function quickMs(before: QuietFigures, stretch: number): number {
  return (2 * before.medianMs + 5) * stretch;
}

/**
 * How many times longer the work of the server's main thread took than it ran, because others had the cores: other
 * programs, the attackers, and, on a machine with few of them, the server's own threads.
 */
export function stretchOf(before: CpuTimes, after: CpuTimes): number {
  const ranMs = after.ranMs - before.ranMs;
  return ranMs > 0 ? 1 + (after.waitedMs - before.waitedMs) / ranMs : 1;
}

/**
 * The bounds that were not kept, a line each. That of the slowest call grows with the slowness of the machine, with
 * what others took of its cores from the server, and by what kept the quiet client itself from running: a server can do
 * nothing about these.
 */
export function problemsOf(course: Course, quietMs: number = bounds.slowestMs): string[] {
  const { during, after, recoveredMs, peakMiB, keptMiB, diedOf, end } = course;
  const slowestMs = quietMs * course.slowness * course.stretch + course.lagMs;
  const { kind = 'no call at all', ms: tookMs = Number.POSITIVE_INFINITY } = during.slowest ?? {};
  const checks: [boolean, string][] = [
    // Other systems than Linux have 127.0.0.1 alone, and no /proc: nothing would be proved there.
    [course.reports.every((it) => it.connected > 0), 'an attacker could not connect'],
    [peakMiB > 0, 'the memory of the process could not be read'],
    [diedOf === undefined, `the process ended: ${diedOf}`],
    [during.failures.length === 0, `${during.failures.length} calls failed, first ${during.failures[0]}`],
    [tookMs <= slowestMs, `the slowest call, ${kind}, took ${ms(tookMs)}, at most ${ms(slowestMs)}`],
    [peakMiB <= bounds.peakMiB, `memory rose to ${peakMiB.toFixed(0)} MiB, at most ${bounds.peakMiB}`],
  ];
  if (diedOf === undefined) {
    const late = Number.isNaN(after.medianMs) ? 'none was answered' : `they took ${ms(after.medianMs)}`;
    const kept = Number.isNaN(keptMiB) ? 'it did not tell what it kept' : `it kept ${keptMiB.toFixed(1)} MiB`;
    checks.push(
      [recoveredMs !== undefined, `calls were to take at most ${ms(course.quickAgainMs)} again; ${late}`],
      [keptMiB <= bounds.keptMiB, `${kept}, at most ${bounds.keptMiB} MiB`],
      [end === 'code 0', `told to end, it ended with ${end}`],
    );
  }
  return checks.filter(([isKept]) => !isKept).map(([, problem]) => problem);
}

/** All figures, for people. */
export function describe(course: Course): string[] {
  const { before, during, recoveredMs } = course;
  const { kind, ms: tookMs = Number.NaN } = during.slowest ?? {};
  const recovered =
    recoveredMs === undefined ? 'not as quick as before' : `as quick as before after ${ms(recoveredMs)}`;
  return [
    `quiet client: slowest ${ms(tookMs)} (${kind}), median ${ms(during.medianMs)} (before: ${ms(before.medianMs)}), ` +
      `${during.calls} calls, ${during.failures.length} failed; ${recovered}`,
    `memory: peak ${course.peakMiB.toFixed(0)} MiB (before: ${course.idleMiB.toFixed(0)}), kept ${course.keptMiB.toFixed(1)} MiB; ` +
      `end: ${course.end}`,
    `machine: slowness ${course.slowness.toFixed(2)}, stretch ${course.stretch.toFixed(2)}, ` +
      `the quiet client was late by ${ms(course.lagMs)} itself`,
  ];
}

/** What an attacker has done, and what the server has logged of its calls, the most frequent first. */
export function describeAttack(
  { from }: Attack,
  report: AttackReport | undefined,
  server: WatchedServer,
): string {
  const calls = [...server.loggedCalls(from)].sort(([, a], [, b]) => b - a);
  const logged = calls.slice(0, 6).map(([kind, count]) => `${count} × ${kind}`);
  return `attacker ${from}: ${JSON.stringify(report)}; logged: ${logged.join(', ') || 'no call'}`;
}

function ms(figure: number): string {
  return `${figure < 10 ? figure.toFixed(1) : figure.toFixed(0)} ms`;
}
