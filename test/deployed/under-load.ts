// Runs a command while every kind of call is made of a deployed service, half of them without any retry, and says what
// came of the calls:
//
//   node test/deployed/under-load.ts FILE -- COMMAND…   such as a deployment: no call may fail
//
// Every user whose sign-up was acknowledged must be there afterwards; then all of them are removed. FILE is what
// readEndpoints reads, of which the first is called; a function as it can be called, over HTTP/1.1 without gRPC. It ends
// with 0 if all of this is so, and the command has ended with 0.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Load, tableOf } from '../../rehearsal/load.ts';
import { SignedUp } from '../../rehearsal/signed-up.ts';
import { callsOverHttp1, everyKindOfCall } from '../../rehearsal/users-calls.ts';
import { readEndpoints } from './endpoint.ts';

/** Of a call in all, of those that are repeated. */
const patientAttempts = 5;

const [file, dashes, command, ...args] = process.argv.slice(2);
if (!file || dashes !== '--' || !command) {
  console.error('usage: node test/deployed/under-load.ts FILE -- COMMAND…');
  process.exit(2);
}
const [endpoint] = readEndpoints(file);
const { isFunction } = endpoint;
const problems: string[] = [];
const loads = ([1, patientAttempts] as const).map((maxAttempts) => {
  const users = new SignedUp(endpoint, isFunction ? { protocol: 'connect', httpVersion: '1.1' } : {});
  const name = maxAttempts === 1 ? 'without retries' : 'with retries';
  const kinds = (isFunction ? callsOverHttp1 : everyKindOfCall)(endpoint, users, maxAttempts);
  return { users, load: new Load(name, { kinds }) };
});
for (const { load } of loads) await load.start();
await Promise.all(loads.map(({ load }) => load.turn()));
const beganMs = performance.now();
const [exitCode] = await once(spawn(command, args, { stdio: 'inherit' }), 'exit');
if (exitCode !== 0) problems.push(`${command} ended with ${exitCode}`);
const silent = await Promise.all(loads.map(({ load }) => load.turn()));
problems.push(...silent.flat().map((kind) => `no call ended afterwards: ${kind}`));
for (const { load, users } of loads) {
  await load.stop();
  console.log(`\n${load.name}\n${tableOf(load.samples)}`);
  for (const { kind, beganMs: began, error } of load.samples) {
    const seconds = ((began - beganMs) / 1000).toFixed(1);
    if (error !== undefined) problems.push(`failed: ${kind}, begun ${seconds} s after the command: ${error}`);
  }
  try {
    const { acknowledged, lost } = await users.lost();
    console.log(`${acknowledged} users signed up, ${lost.length} of them lost`);
    problems.push(...lost);
    await users.remove();
  } catch (error) {
    problems.push(`the users of the load could not be looked for, or removed: ${error}`);
  }
  load[Symbol.dispose]();
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
