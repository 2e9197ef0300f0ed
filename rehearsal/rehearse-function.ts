import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import type { Acts } from './acts.ts';
import type { Effect } from './fault.ts';
import { hasCode, overlaps } from './faults/task-faults.ts';
import type { Ended } from './function/environment.ts';
import { FunctionHome } from './function/home.ts';
import { FunctionMonitor } from './function/monitor.ts';
import type { Journal } from './journal.ts';
import { type Calls, Load, type Sample } from './load.ts';
import type { Options } from './options.ts';
import { acknowledged, type Seen } from './rehearse.ts';
import { mustNotHave } from './secrets.ts';
import { SignedUp } from './signed-up.ts';
import { callsOverHttp1 } from './users-calls.ts';

/** Enough, with their waiting times, to outlast a revision that can't start. */
const patientAttempts = 20;

/** An environment that can't start: what it would keep would go with it. */
const unfit = { USERS_STORE: 'sqlite' };
const failedStarts = 'FailedStarts';
const failedCalls = 'FailedCalls';

/** Calls that must have failed and been counted, and for how long that is waited for. */
const leastFaults = 6;
const mostFaultMs = 20_000;

const lookMs = 50;

/**
 * Plays a whole rehearsal of the function home, behind a stand-in of AWS Lambda: revisions that follow each other, one
 * that the table refuses, one that can't start, a killed environment, and nobody who calls. What goes wrong is told by
 * the acts.
 */
export async function rehearseFunction(
  { context, rounds, minuteMs }: Options,
  folder: string,
  journal: Journal,
  acts: Acts,
  seen: Seen,
): Promise<void> {
  const given = Object.entries(context).map(([name, value]) => `, ${name}=${value}`);
  seen.title = `UsersFunction${given.join('')}`;
  seen.places = 'Environments';
  for (const what of [
    'CloudFormation, IAM, S3 and the APIs of Lambda: the stack is synthesised, not deployed, and the stand-in runs its zip',
    'the calls that an environment takes at a time: 4 here, so that several of them run; and how long one waits for calls: 2 s',
    'other regions, CloudFront, and what is billed',
  ]) {
    journal.leaveOut(what);
  }
  await using opened = new AsyncDisposableStack();
  // What runs by itself would outlive this process. A signal may come twice, from a terminal and from npm.
  let isEnding = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!isEnding) opened.disposeAsync().finally(() => process.exit(1));
      isEnding = true;
    });
  }
  let home: FunctionHome | undefined;
  const isOpen = await acts.play('Synthesize, zip, serve', async () => {
    home = opened.use(await FunctionHome.open(context, folder));
  });
  if (!isOpen || !home) return;
  const monitor = opened.use(new FunctionMonitor(home, minuteMs, journal));
  seen.monitor = monitor;
  await underLoad(home, monitor, { rounds, minuteMs }, journal, acts, seen);
  await asleep(home, journal, acts);
  await acts.play('The metrics are those that the log has', () => counted(monitor, seen.loads, journal));
  const { token, platform } = home;
  if (token === undefined) journal.leaveOut('whether secrets are in the log: the function was given none');
  else {
    await acts.play('Secrets are in no log', async () => {
      const file = join(folder, 'logs', 'function.log');
      await mkdir(join(folder, 'logs'), { recursive: true });
      await writeFile(file, platform.log.join('\n'));
      await mustNotHave([token], [file]);
    });
  }
}

/** Revisions and a killed environment, while calls of every kind are made that reach a function. */
async function underLoad(
  home: FunctionHome,
  monitor: FunctionMonitor,
  { rounds, minuteMs }: Pick<Options, 'rounds' | 'minuteMs'>,
  journal: Journal,
  acts: Acts,
  seen: Seen,
): Promise<void> {
  using bare = new Load('without retries', callsOf(home, 1));
  using patient = new Load('with retries', callsOf(home, patientAttempts));
  seen.loads.push(bare, patient);
  await bare.start();
  journal.say(`${home.platform.coldStarts} environment began with the first call`);
  await patient.start();
  const play = (name: string, act: () => Promise<Effect>) => acts.playUnder(bare, patient, name, act);
  for (let round = 1; round <= rounds; round++) {
    await play(`Revision ${round} of ${rounds}`, async () => {
      const { length } = home.platform.ends;
      home.deploy();
      return { problems: mustEndWell(await home.formerEnd(length)) };
    });
  }
  await play(
    'An environment is killed: calls on it fail, and clients that retry notice nothing',
    async () => {
      const beganMs = performance.now();
      const { length } = home.platform.ends;
      await home.killOne();
      const endedMs = performance.now();
      const ends = await home.formerEnd(length);
      const isKilled = ends.some(({ code }) => code === undefined);
      return {
        problems: isKilled ? [] : ['NOT RUN: no environment was killed'],
        // One that is being killed may take a call before its connection is reset.
        mayFail: (it) => overlaps(it, beganMs, endedMs) && isUnavailable(it),
      };
    },
  );
  await play('A revision that the table refuses: its calls fail, and are counted as faults', () =>
    refusedByTable(home, monitor),
  );
  await play('A revision that can not start: the alarm goes off, and the former one is deployed', () =>
    unableToStart(home, monitor, minuteMs),
  );
  await Promise.all([bare.stop(), patient.stop()]);
  acts.conclude(bare, patient);
  for (const load of [bare, patient]) await acknowledged(load, acts, journal);
}

/** Nothing brings a former revision back: that is deployed again. */
async function refusedByTable(home: FunctionHome, monitor: FunctionMonitor): Promise<Effect> {
  const { length } = home.platform.ends;
  home.deploy({ DYNAMODB_ENDPOINT: home.deniedUrl });
  const untilMs = performance.now() + mostFaultMs;
  while (monitor.sum(failedCalls) < leastFaults && performance.now() < untilMs) await sleep(lookMs);
  const counted = monitor.sum(failedCalls);
  home.deploy();
  await home.formerEnd(length);
  const problems = counted < leastFaults ? [`the metric ${failedCalls} has ${counted}`] : [];
  return { problems, hasAftermath: true, mayFail: isFault, mayFailPatiently: isFault };
}

/** The same of one that ends as soon as it begins: only the log tells, by what the platform writes into it. */
async function unableToStart(
  home: FunctionHome,
  monitor: FunctionMonitor,
  minuteMs: number,
): Promise<Effect> {
  const { changes } = monitor.alarms;
  const before = changes.length;
  home.deploy(unfit);
  const isTold = () =>
    changes.slice(before).some((it) => it.name.includes(failedStarts) && it.state === 'ALARM');
  // A metric is there a minute after its own.
  const untilMs = performance.now() + 5 * minuteMs + 10_000;
  while (!isTold() && performance.now() < untilMs) await sleep(lookMs);
  const problems = isTold() ? [] : ['no alarm of starts that fail went off'];
  const { length } = home.platform.ends;
  home.deploy();
  await home.formerEnd(length);
  return { problems, hasAftermath: true, mayFail: isUnavailable, mayFailPatiently: isUnavailable };
}

/** Nothing runs once nobody calls, and the next call is answered all the same. */
async function asleep(home: FunctionHome, journal: Journal, acts: Acts): Promise<void> {
  const { platform } = home;
  await acts.play('Nobody calls: nothing runs', async () => {
    const { length } = platform.ends;
    await home.sleeps();
    const problems = mustEndWell(platform.ends.slice(length));
    if (problems.length > 0) throw new Error(problems.join('\n'));
  });
  await acts.play('A call starts it again', async () => {
    const before = platform.coldStarts;
    const { kinds } = callsOf(home, 1);
    const [first] = kinds;
    const beganMs = performance.now();
    try {
      await first?.call();
    } finally {
      for (const kind of kinds) kind[Symbol.dispose]();
    }
    journal.say(
      `a call from nothing took ${(performance.now() - beganMs).toFixed(0)} ms, with zip and start`,
    );
    if (platform.coldStarts !== before + 1)
      throw new Error(`${platform.coldStarts - before} environments began`);
    await home.sleeps();
  });
}

/** What alarms and dashboard read must be there, as the filters of the stack make it of the log. */
async function counted(monitor: FunctionMonitor, loads: readonly Load[], journal: Journal): Promise<void> {
  // Health checks that are answered well are no lines.
  const samples = loads.flatMap((it) => it.samples).filter((it) => !/health/.test(it.kind));
  const answered = samples.filter((it) => it.error === undefined).length;
  const sums = ['Calls', 'Milliseconds', failedCalls, failedStarts].map(
    (it) => [it, monitor.sum(it)] as const,
  );
  journal.say(sums.map(([name, sum]) => `${name} ${sum.toFixed(0)}`).join(', '));
  const { Calls = 0, Milliseconds = 0, [failedStarts]: starts = 0 } = Object.fromEntries(sums);
  const problems = [
    Calls >= answered ? '' : `${answered} calls were answered, and the metric Calls has ${Calls}`,
    Milliseconds > 0 ? '' : 'the metric Milliseconds is empty',
    starts > 0 ? '' : 'the metric FailedStarts is empty',
  ].filter(Boolean);
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

function callsOf({ endpoint }: FunctionHome, maxAttempts: number): Calls {
  const users = new SignedUp(endpoint, { protocol: 'connect', httpVersion: '1.1' });
  return { kinds: callsOverHttp1(endpoint, users, maxAttempts), lost: () => users.lost() };
}

/** What a client hears of a table that refuses: a fault of the server, or that it is not ready. */
const isFault = ({ error }: Sample) => hasCode(error, Code.Internal, Code.Unavailable);

const isUnavailable = ({ error }: Sample) => hasCode(error, Code.Unavailable);

function mustEndWell(ends: readonly Ended[]): string[] {
  return ends.flatMap(({ code }) => (code === 0 ? [] : [`an environment ended with ${code ?? 'SIGKILL'}`]));
}
