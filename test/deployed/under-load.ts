// Runs a command while every kind of call is made of a deployed service, and says what came of the calls:
//
//   node test/deployed/under-load.ts rollout FILE -- COMMAND…   a new version: no call fails, without any retry
//   node test/deployed/under-load.ts crash FILE -- COMMAND…     a task is killed: calls on it may fail, until it is
//                                                               out of service; with retries, none does
//
// In both cases every user whose sign-up was acknowledged is there afterwards. FILE is what readEndpoint reads.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { readEndpoint } from './endpoint.ts';
import { type Failure, Load, type Tally } from './load.ts';

/** Calls are made for so long before the command begins and after it has ended. */
const marginMs = 5_000;
/** Enough, with their waiting times, to outlast the health checks. */
const patientAttempts = 20;

const [mode, file, dashes, command, ...args] = process.argv.slice(2);
if ((mode !== 'rollout' && mode !== 'crash') || !file || dashes !== '--' || !command) {
  console.error('usage: node test/deployed/under-load.ts rollout|crash FILE -- COMMAND…');
  process.exit(2);
}

const endpoint = readEndpoint(file);
const bare = new Load(endpoint, 1);
const patient = mode === 'crash' ? new Load(endpoint, patientAttempts) : undefined;
await bare.start();
await patient?.start();
await sleep(marginMs);
const beganMs = performance.now();
const [exitCode] = await once(spawn(command, args, { stdio: 'inherit' }), 'exit');
const endedMs = performance.now();
await sleep(marginMs);
const [tallies, patientTallies = []] = [await bare.stop(), await patient?.stop()];

const problems: string[] = [];
if (exitCode !== 0) problems.push(`${command} ended with ${exitCode}`);
report('without retries', tallies);
const failures = tallies.flatMap((tally) => tally.failures);
for (const failure of mode === 'crash' ? failures.filter(isUnexpected) : failures) {
  problems.push(describe(failure));
}
if (patient) {
  report('with retries', patientTallies);
  problems.push(...patientTallies.flatMap((tally) => tally.failures).map(describe));
}
for (const load of [bare, patient]) {
  if (!load) continue;
  const { acknowledged, lost } = await load.lost();
  console.log(`${acknowledged} users signed up, ${lost.length} of them lost`);
  problems.push(...lost.map((username) => `lost: ${username}`));
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/** A call may fail that was on its way while the task was dead, and only as one whose connection broke. */
function isUnexpected({ beganMs: began, endedMs: ended, error }: Failure): boolean {
  const whileDead = ended >= beganMs && began <= endedMs;
  const broken = ConnectError.from(error).code === Code.Unavailable;
  return !(whileDead && broken);
}

function describe({ kind, beganMs: began, error }: Failure): string {
  const seconds = ((began - beganMs) / 1000).toFixed(1);
  return `failed: ${kind}, begun ${seconds} s after the command: ${error}`;
}

function report(title: string, counted: readonly Tally[]): void {
  console.log(`\n${title.padEnd(34)}${'calls'.padStart(7)}${'failed'.padStart(8)}${'longest'.padStart(11)}`);
  for (const { kind, calls, failures: failed, longestMs } of counted) {
    const longest = `${longestMs.toFixed(0)} ms`.padStart(11);
    console.log(
      `${kind.padEnd(34)}${String(calls).padStart(7)}${String(failed.length).padStart(8)}${longest}`,
    );
  }
  const calls = counted.reduce((sum, tally) => sum + tally.calls, 0);
  const failed = counted.reduce((sum, tally) => sum + tally.failures.length, 0);
  console.log(`${'in all'.padEnd(34)}${String(calls).padStart(7)}${String(failed).padStart(8)}`);
}
