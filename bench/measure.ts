import { checkAnswers, checkLoad } from './check.ts';
import { type Figure, figureOf } from './figure.ts';
import { drive, type Reading } from './h2load.ts';
import type { Load } from './loads.ts';
import { type Running, start } from './process.ts';
import type { Subject } from './subjects.ts';

/** How much is measured. */
export interface Effort {
  /** How often the servers are started: compilation at run time makes one start of a program differ from the next. */
  readonly starts: number;
  /** How often each server is under each load after a start. */
  readonly rounds: number;
  /** How long it is each time. */
  readonly seconds: number;
  /** Whether to skip warming up and repeating, as only running matters. */
  readonly isQuick: boolean;
  /** Where servers write their logs, and loads lie. */
  readonly folder: string;
  /** What is going on, for who waits. */
  readonly say: (line: string) => void;
}

/** A server under a load. */
export interface Case {
  readonly subject: Subject;
  readonly load: Load;
}

/** What was measured of it. */
export interface Row extends Case {
  readonly cpuMicros: Figure;
  readonly rate: Figure;
  readonly p50Ms: Figure;
  readonly p99Ms: Figure;
}

/** Calls to begin with, when it is not known how fast a server is. */
const firstCalls = 512;
/** Under its first load a server warms up longer, as what is called often is being compiled. */
const warmUpSeconds = 1.5;

/** Starts servers, and ends them when `work` is done. */
export async function withServers<T>(
  subjects: readonly Subject[],
  folder: string,
  work: (servers: readonly Running[]) => Promise<T>,
): Promise<T> {
  const servers: Running[] = [];
  try {
    for (const subject of subjects) servers.push(await start(subject, folder));
    return await work(servers);
  } finally {
    for (const server of servers) await server.stop();
  }
}

/**
 * Measures each case, those of a group in turns: what disturbs one of them, such as another program on the
 * machine, disturbs them all.
 *
 * @throws Error when a server's answers are not right: it is not worth timing
 */
export async function measure(groups: readonly (readonly Case[])[], effort: Effort): Promise<Row[]> {
  const subjects = [...new Set(groups.flat().map((it) => it.subject))];
  const readings = new Map<Case, Reading[]>(groups.flat().map((it) => [it, []]));
  for (let count = 1; count <= effort.starts; count += 1) {
    await withServers(subjects, effort.folder, async (servers) => {
      for (const server of servers) await checkAnswers(server);
      const warm = new Set<Subject>();
      for (const group of groups) {
        effort.say(`start ${count} of ${effort.starts}: ${group[0]?.load.title}`);
        await takeTurns(group, servers, warm, readings, effort);
      }
    });
  }
  return [...readings].map(([it, values]) => ({
    ...it,
    cpuMicros: figureOf(values.map((one) => one.cpuMicros)),
    rate: figureOf(values.map((one) => one.rate)),
    p50Ms: figureOf(values.map((one) => one.p50Ms)),
    p99Ms: figureOf(values.map((one) => one.p99Ms)),
  }));
}

async function takeTurns(
  group: readonly Case[],
  servers: readonly Running[],
  warm: Set<Subject>,
  readings: ReadonlyMap<Case, Reading[]>,
  { rounds, seconds, isQuick, folder }: Effort,
): Promise<void> {
  const turns: (() => Promise<void>)[] = [];
  for (const it of group) {
    const { subject, load } = it;
    const server = servers.find((one) => one.subject === subject);
    if (server === undefined) continue;
    const answerBytes = await checkLoad(server, load);
    const go = async (calls: number) => {
      const reading = await drive(server, load, calls, answerBytes, folder);
      server.forgetOutput();
      return reading;
    };
    const least = load.connections * load.streams;
    const callsIn = (time: number, { rate }: Reading) =>
      Math.max(least, Math.round((rate / load.messages) * time));
    let reading = await go(Math.max(least, Math.ceil(firstCalls / load.messages)));
    if (isQuick) warm.add(subject);
    if (!warm.has(subject)) reading = await go(callsIn(warmUpSeconds / 2, reading));
    reading = await go(callsIn(warm.has(subject) ? seconds / 2 : warmUpSeconds, reading));
    warm.add(subject);
    const calls = callsIn(seconds, reading);
    turns.push(async () => {
      readings.get(it)?.push(await go(calls));
    });
  }
  const times = group[0]?.load.timesRounds ?? 1;
  for (let round = 0; round < rounds * times; round += 1) {
    for (const turn of turns) await turn();
  }
}
