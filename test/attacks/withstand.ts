import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Attack, AttackOrders, AttackReport } from './attack.ts';
import { machineSlowness } from './machine.ts';
import { QuietClient } from './quiet-client.ts';
import { bounds, describe, describeAttack, problemsOf, quickMs, stretchOf } from './verdict.ts';
import { startWatched, type WatchedServer } from './watched-server.ts';

/** An attack, and what else happens. */
export interface Siege {
  readonly attacks: readonly Attack[];
  /** How long it lasts. Default 0.8 s: what these attacks did came within that time. */
  readonly forMs?: number;
  /** What the quiet client's slowest call may take. Default: `bounds.slowestMs`. */
  readonly slowestMs?: number;
  /** What a quiet client does besides until the attack is over. What it throws fails the test. */
  readonly meanwhile?: (server: WatchedServer, isOver: AbortSignal) => Promise<void>;
}

const defaultForMs = 800;
/** How often the quiet client makes each of its calls during the attack, and before and after. */
const everyMs = 30;
const otherwiseEveryMs = 5;
/** Calls before the attack: the first ones compile the code, the others are what later ones are compared with. */
const warmUpCalls = 20;
const comparedCalls = 16;
const pollMs = 10;
const betweenAttemptsMs = 100;
const startTimeoutMs = 20_000;

/**
 * Starts the bundle, lets a quiet client call it, attacks it, and tells all that the attack did to it.
 *
 * @throws AssertionError that lists every bound that was not kept, with all figures
 */
export async function withstand(t: TestContext, siege: Siege): Promise<void> {
  const slowness = machineSlowness();
  const { attacks, forMs = defaultForMs } = siege;
  const [server, attack] = await Promise.all([startWatched(t), muster({ attacks, forMs })]);
  const quiet = new QuietClient(server.port, otherwiseEveryMs);
  t.after(() => quiet.close());
  await callsSince(quiet, performance.now(), warmUpCalls);
  const heldBefore = await server.ask('held');
  const beforeAtMs = performance.now();
  await callsSince(quiet, beforeAtMs, comparedCalls);
  const before = quiet.since(beforeAtMs);
  const idleMiB = server.peakMiB();
  quiet.everyMs = everyMs;
  quiet.takeOwnLagMs();

  const cpuBefore = server.cpuTimes();
  const startedAtMs = performance.now();
  const over = new AbortController();
  const attacked = attack(server.port);
  const failures: string[] = [];
  const meanwhile = siege.meanwhile?.(server, over.signal).catch((error: unknown) => {
    failures.push(error instanceof Error ? error.message : String(error));
  });
  const reports = await attacked;
  over.abort();
  const endedAtMs = performance.now();
  const cpuAfter = server.cpuTimes();
  const stretch = stretchOf(cpuBefore, cpuAfter);
  const lagMs = quiet.takeOwnLagMs();
  const during = quiet.since(startedAtMs);
  quiet.everyMs = otherwiseEveryMs;

  const goodMs = () => quickMs(before, stretchOf(cpuAfter, server.cpuTimes()));
  const recoveredMs = server.ended === undefined ? await recovery(quiet, endedAtMs, goodMs) : undefined;
  const after = quiet.since(endedAtMs);
  const quickAgainMs = goodMs();
  await meanwhile;
  const keptMiB = server.ended === undefined ? await kept(server, heldBefore) : Number.NaN;
  const peakMiB = server.peakMiB();
  await quiet.close();
  const diedOf = server.ended;
  const end = diedOf ?? (await server.stop());
  const quietly = { slowness, stretch, lagMs, before, during, after, recoveredMs, quickAgainMs };
  const course = { ...quietly, reports, idleMiB, peakMiB, keptMiB, diedOf, end };
  const problems = [...failures, ...problemsOf(course, siege.slowestMs)];
  const figures = [
    ...describe(course),
    ...attacks.map((it, place) => describeAttack(it, reports[place], server)),
  ];
  for (const line of figures) t.diagnostic(line);
  assert.ok(problems.length === 0, `${problems.join('\n')}\n\n${figures.join('\n')}`);
}

/** Starts the thread of the attackers, and says how to let them loose on a port: it resolves when they have ended. */
export async function muster(orders: AttackOrders): Promise<(port: number) => Promise<AttackReport[]>> {
  const worker = new Worker(new URL('./attacker.ts', import.meta.url), { workerData: orders });
  worker.unref(); // one that is never let loose must not keep this process
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  const next = () => Promise.race([once(worker, 'message').then(([message]) => message), failed]);
  await next();
  return (port) => {
    worker.postMessage(port);
    return next();
  };
}

/**
 * Does something again and again until the attack is over, not waiting for the time before; for `Siege.meanwhile`.
 *
 * @param attempt does it once, with the number of the attempt, and says whether it got what it should
 * @throws AssertionError when an attempt got something else, or threw
 */
export async function again(
  isOver: AbortSignal,
  attempt: (number: number) => Promise<boolean>,
): Promise<void> {
  const attempts: Promise<string | undefined>[] = [];
  while (!isOver.aborted) {
    const answered = attempt(attempts.length).then((isGood) => (isGood ? undefined : 'not answered'));
    attempts.push(answered.catch(String));
    await delay(betweenAttemptsMs, undefined, { signal: isOver }).catch(() => {}); // over: the loop ends
  }
  const failures = (await Promise.all(attempts)).filter((it) => it !== undefined);
  const text = `${failures.length} of ${attempts.length} attempts of a quiet client failed, first: ${failures[0]}`;
  assert.ok(failures.length === 0, text);
}

/** Waits until so many calls have been made since a moment, which a server that is stuck does not let happen. */
async function callsSince(quiet: QuietClient, atMs: number, count: number): Promise<void> {
  const giveUpAtMs = performance.now() + startTimeoutMs;
  while (quiet.since(atMs).calls < count) {
    assert.ok(performance.now() < giveUpAtMs, `the server answers too slowly before any attack`);
    await delay(pollMs);
  }
}

/** After how long the last calls were quick again, in ms; undefined if that takes too long. */
async function recovery(
  quiet: QuietClient,
  endedAtMs: number,
  goodMs: () => number,
): Promise<number | undefined> {
  while (performance.now() - endedAtMs < bounds.recoveryMs) {
    await delay(pollMs);
    const recent = quiet.lastMedianMs(comparedCalls / 2, endedAtMs);
    if (recent !== undefined && recent <= goodMs()) return performance.now() - endedAtMs;
  }
  return undefined;
}

/** What is held more than before, in MiB. NaN if the server does not get round to telling. */
async function kept(server: WatchedServer, heldBefore: number): Promise<number> {
  const held = await server.ask('held').catch(() => Number.NaN);
  return (held - heldBefore) / 2 ** 20;
}
