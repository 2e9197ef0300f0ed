import { type Figure, figureOf } from '../figure.ts';
import { type Effort, withServers } from '../measure.ts';
import { type Running, start } from '../process.ts';
import type { Counts } from './double/meter.ts';
import { type LoadClient, openLoadClient } from './load/client.ts';
import type { LoadReading, StoreLoad } from './load/load.ts';
import { population } from './load/requests.ts';
import { fill, storeLoads } from './loads.ts';
import { double, formerCommit, reaching, type StoreSubject, storeSubjects } from './subjects.ts';

/** What was measured of a server under a load. */
export interface StoreRow {
  readonly subject: StoreSubject;
  readonly load: StoreLoad;
  /** CPU time of the server for a call, in µs. */
  readonly cpuMicros: Figure;
  readonly p50Ms: Figure;
  readonly p99Ms: Figure;
  /** Calls a second. */
  readonly rate: Figure;
  /** For a call, of DynamoDB. */
  readonly requests: Figure;
  readonly readUnits: Figure;
  readonly writeUnits: Figure;
}

interface StoreReading extends LoadReading {
  readonly cpuMicros: number;
  readonly requests: number;
  readonly readUnits: number;
  readonly writeUnits: number;
}

interface Case {
  readonly subject: StoreSubject;
  readonly load: StoreLoad;
  readonly readings: StoreReading[];
}

/** Calls to begin with, when it is not known how fast a server is. */
const firstCalls = 256;
/** Under its first load a server warms up longer, as what is called often is being compiled. */
const firstWarmUpSeconds = 4;
const warmUpSeconds = 1;

/**
 * Measures each server under each load, the servers in turns.
 *
 * @param commit whose stores take turns with today's. Default: `formerCommit`
 * @param only keys of the servers to measure. Default: all
 * @throws Error when a server does not answer each call as it must
 */
export async function measureStores(
  effort: Effort,
  commit = formerCommit,
  only?: readonly string[],
): Promise<StoreRow[]> {
  const subjects = (await storeSubjects(commit, effort.folder, effort.say)).filter(
    ({ key }) => only?.includes(key.replace(' before', '')) ?? true,
  );
  if (subjects.length === 0) return [];
  const cases = storeLoads.flatMap((load) =>
    subjects.map((subject): Case => ({ subject, load, readings: [] })),
  );
  for (let count = 1; count <= effort.starts; count += 1) {
    const table = await start(double, effort.folder);
    const client = openLoadClient();
    try {
      const reached = subjects.map((it) => reaching(it, table.port));
      await withServers(reached, effort.folder, async (servers) => {
        await fillStores(servers, client, effort);
        for (const load of storeLoads) {
          effort.say(`start ${count} of ${effort.starts}: ${load.title}`);
          await takeTurns(
            cases.filter((it) => it.load === load),
            { servers, table, client },
            effort,
          );
        }
      });
    } finally {
      client.close();
      await table.stop();
    }
  }
  return cases.map(({ subject, load, readings }) => {
    const figure = (value: (one: StoreReading) => number) => figureOf(readings.map(value));
    return {
      subject,
      load,
      cpuMicros: figure((one) => one.cpuMicros),
      p50Ms: figure((one) => one.p50Ms),
      p99Ms: figure((one) => one.p99Ms),
      rate: figure((one) => one.calls / one.seconds),
      requests: figure((one) => one.requests),
      readUnits: figure((one) => one.readUnits),
      writeUnits: figure((one) => one.writeUnits),
    };
  });
}

/** Each store once: all servers on DynamoDB share a table. */
async function fillStores(servers: readonly Running[], client: LoadClient, { say }: Effort): Promise<void> {
  const filled = new Set<string>();
  for (const server of servers) {
    const store = storeOf(server);
    if (filled.has(store)) continue;
    filled.add(store);
    say(`${server.subject.title}: ${population.toLocaleString('en')} sign up`);
    await client.make({ port: server.port, load: fill, calls: population });
    server.forgetOutput();
  }
}

const storeOf = ({ subject }: Running): string => ('store' in subject ? String(subject.store) : subject.key);

interface Parts {
  readonly servers: readonly Running[];
  readonly table: Running;
  readonly client: LoadClient;
}

async function takeTurns(
  cases: readonly Case[],
  { servers, table, client }: Parts,
  { rounds, seconds, isQuick }: Effort,
): Promise<void> {
  const turns: (() => Promise<void>)[] = [];
  for (const { subject, load, readings } of cases) {
    const server = servers.find((one) => one.subject.key === subject.key);
    if (server === undefined) continue;
    const go = async (calls: number): Promise<StoreReading> => {
      const before = await countsOf(table);
      const cpuBefore = server.cpuMicros();
      const reading = await client.make({ port: server.port, load, calls });
      const cpuMicros = (server.cpuMicros() - cpuBefore) / calls;
      const after = await countsOf(table);
      server.forgetOutput();
      const counted = (of: (counts: Counts) => number) => (of(after) - of(before)) / calls;
      return {
        ...reading,
        cpuMicros,
        requests: counted(({ requests }) => Object.values(requests).reduce((all, one) => all + one, 0)),
        readUnits: counted((it) => it.readUnits),
        writeUnits: counted((it) => it.writeUnits + it.indexWriteUnits),
      };
    };
    const least = load.connections * load.streams;
    const callsIn = (time: number, { calls, seconds: took }: LoadReading) =>
      Math.max(least, Math.round((calls / took) * time));
    let reading = await go(Math.max(least, Math.ceil(firstCalls / load.users)));
    const warmUp = load === storeLoads[0] ? firstWarmUpSeconds : warmUpSeconds;
    if (!isQuick) reading = await go(callsIn(warmUp / 2, reading));
    if (!isQuick) reading = await go(callsIn(warmUp / 2, reading));
    const calls = callsIn(seconds, reading);
    turns.push(async () => {
      readings.push(await go(calls));
    });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const turn of turns) await turn();
  }
}

async function countsOf({ port }: Running): Promise<Counts> {
  const answer = await fetch(`http://127.0.0.1:${port}`);
  // The double's own JSON.
  return (await answer.json()) as Counts;
}
