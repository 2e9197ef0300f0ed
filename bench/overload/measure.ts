import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { checkAnswers, checkLoad } from '../check.ts';
import { type Figure, figureOf } from '../figure.ts';
import { drive } from '../h2load.ts';
import { unaryLoads } from '../loads.ts';
import { type Effort, withServers } from '../measure.ts';
import { loadCore, type Running } from '../process.ts';
import type { Subject } from '../subjects.ts';

const run = promisify(execFile);

/** How many times what a server can do is asked of it. */
const factors = [0.5, 1, 2, 3, 5];
/** Before and after each load there is half of what a server can do. */
const calm = 0.5;
const calmSeconds = 1;
/** How long each load is, for each second that the effort names. */
const lengthened = 5;
/** As many clients, or one load balancer, have. */
const connections = 64;
/** Each of them is a client, though all have one address. */
const manyClients = { MAX_CALLS_PER_CLIENT: '1000000', MAX_HELD_BYTES_PER_CLIENT: String(64 * 2 ** 20) };
/** As many calls at once as the open loop has connections, and some: with few, more of them would share a read. */
const atOnce = { ...unaryLoads[0], connections, streams: 4 };
/** What can be done is measured once the compiler has done its work: else too little would be asked. */
const warmUpCalls = 400_000;
/** By so many it is measured, before each load and after it. */
const capacityCalls = 150_000;

/** A server under one load. */
export interface OverloadRow {
  readonly subject: Subject;
  /** What it answers in a second at most, as h2load finds out, which waits for answers. */
  readonly capacity: Figure;
  readonly factor: number;
  /** Calls that are answered within 100 ms of the time when they were due, as a part of the capacity. */
  readonly goodPart: Figure;
  readonly refusedPart: Figure;
  /** From the time when a call was due, of those that are answered. */
  readonly p50Ms: Figure;
  readonly p99Ms: Figure;
  /** How long after the load the last call was due that was not answered in time. */
  readonly recoveredMs: Figure;
}

/** What became of the calls of a step, as `bench/go/load` prints it. */
interface Step {
  readonly seconds: number;
  readonly due: number;
  readonly inTime: number;
  readonly refused: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lastBadMs: number;
}

interface Reading {
  readonly capacity: number;
  readonly load: Step;
  readonly after: Step;
}

/**
 * Asks more of servers than they can do. The load does not wait for answers: each call is sent when it is due, as those
 * of many clients are that know nothing of each other, and its time counts from then on.
 *
 * @throws Error where there is no Go, in which the load is written
 */
export async function measureOverload(servers: readonly Subject[], effort: Effort): Promise<OverloadRow[]> {
  const go = servers.find((it) => it.key === 'grpc-go');
  if (go === undefined) throw new Error('the load needs Go');
  const program = join(dirname(go.command[0] ?? ''), 'load');
  const subjects = servers
    .filter(({ key }) => key === 'grpc-go' || key.startsWith('shipped'))
    // The connections stand for many clients.
    .map((it) => ({ ...it, env: { ...it.env, ...manyClients } }));
  const readings = new Map(
    subjects.flatMap((subject) => factors.map((factor) => [{ subject, factor }, [] as Reading[]] as const)),
  );
  for (let count = 1; count <= effort.starts; count += 1) {
    for (const subject of subjects) {
      effort.say(`start ${count} of ${effort.starts}: ${subject.title}, more than it can do`);
      await withServers([subject], effort.folder, async ([server]) => {
        if (server === undefined) return;
        await warmUp(server, effort);
        for (const [it, values] of readings) {
          if (it.subject !== subject) continue;
          values.push(await overload(program, server, it.factor, effort));
        }
      });
    }
  }
  return [...readings].map(([it, values]) => ({
    ...it,
    capacity: figureOf(values.map((one) => one.capacity)),
    goodPart: figureOf(values.map(({ load, capacity }) => load.inTime / load.seconds / capacity)),
    refusedPart: figureOf(values.map(({ load }) => load.refused / load.due)),
    p50Ms: figureOf(values.map(({ load }) => load.p50Ms)),
    p99Ms: figureOf(values.map(({ load }) => load.p99Ms)),
    recoveredMs: figureOf(values.map(({ after }) => after.lastBadMs)),
  }));
}

async function warmUp(server: Running, { folder, isQuick }: Effort): Promise<void> {
  await checkAnswers(server);
  await drive(server, atOnce, isQuick ? 5_000 : warmUpCalls, await checkLoad(server, atOnce), folder);
  server.forgetOutput();
}

/** What it can do now: machines that others use too are not as quick at all times. */
async function capacityOf(server: Running, { folder, isQuick }: Effort): Promise<number> {
  const answerBytes = await checkLoad(server, atOnce);
  const { rate } = await drive(server, atOnce, isQuick ? 5_000 : capacityCalls, answerBytes, folder);
  server.forgetOutput();
  return rate;
}

async function overload(program: string, server: Running, factor: number, effort: Effort): Promise<Reading> {
  const { folder, seconds } = effort;
  const before = await capacityOf(server, effort);
  const [{ path, body }] = unaryLoads;
  const file = join(folder, 'overload body');
  writeFileSync(file, body);
  const steps = [
    [calm, calmSeconds],
    [factor, lengthened * seconds],
    [calm, calmSeconds],
  ].map(([part = 1, time]) => `${Math.round(part * before)}:${time}`);
  const address = `127.0.0.1:${server.port}`;
  const args = ['-c', loadCore, program, address, path, file, String(connections), ...steps];
  const { stdout } = await run('taskset', args, { maxBuffer: 2 ** 20 });
  const [, load, after]: Step[] = JSON.parse(stdout);
  if (load === undefined || after === undefined) throw new Error(`the load says ${stdout}`);
  server.forgetOutput();
  return { capacity: (before + (await capacityOf(server, effort))) / 2, load, after };
}
