import { checkLoad } from './check.ts';
import { type Figure, figureOf } from './figure.ts';
import { drive } from './h2load.ts';
import { type Load, policyLoads, protocolLoads, unaryLoads, workerLoads } from './loads.ts';
import { type Effort, measure, withServers } from './measure.ts';
import { openOtlpSink } from './otlp-sink.ts';
import { start } from './process.ts';
import {
  bundled,
  coldSubjects,
  protocolSubjects,
  type Subject,
  withKey,
  withPolicies,
  withTokens,
  workerSubjects,
} from './subjects.ts';
import { tokenAlgorithms } from './tokens.ts';

/** One figure of a server. */
export interface Single {
  readonly subject: Subject;
  readonly figure: Figure;
}

/** What a policy costs. */
export interface Policy {
  readonly title: string;
  /** CPU time of a call with it, in µs. The first has none. */
  readonly cpuMicros: Figure;
}

/** Calls that each server answers before its memory is looked at. */
const memoryCalls = 30_000;
const memoryRounds = 2;
const coldRounds = 15;

/** One after the other, the loads on the servers. */
export function measureLoads(loads: readonly Load[], subjects: readonly Subject[], effort: Effort) {
  return measure(
    loads.map((load) =>
      subjects.filter((it) => !load.leftOut?.includes(it.key)).map((subject) => ({ subject, load })),
    ),
    effort,
  );
}

/** The same call in each protocol, on ours and on connect's stock handlers, all in turns. */
export function measureProtocols(effort: Effort) {
  const { ours, stock, stockHttp1 } = protocolSubjects;
  const cases = protocolLoads.flatMap((load) => [
    { subject: ours, load },
    { subject: load.isHttp1 ? stockHttp1 : stock, load },
  ]);
  return measure([cases], effort);
}

/** What one process serves, and what two do, in turns. */
export function measureWorkers(effort: Effort) {
  return measureLoads(workerLoads, workerSubjects, effort);
}

/**
 * Memory after the same number of calls, each time in a fresh process, in MiB. Servers in Node run as bundles,
 * as they would be deployed: loading TypeScript takes more memory than serving.
 */
export async function measureMemory(servers: readonly Subject[], effort: Effort): Promise<Single[]> {
  const load = unaryLoads[0];
  const subjects = await Promise.all(servers.map((it) => bundled(it, effort.folder)));
  return singles(subjects, effort.isQuick ? 1 : memoryRounds, (subject) =>
    withServers([subject], effort.folder, async ([server]) => {
      if (server === undefined) return Number.NaN;
      const calls = effort.isQuick ? memoryCalls / 30 : memoryCalls;
      await drive(server, load, calls, await checkLoad(server, load), effort.folder);
      server.forgetOutput();
      return server.rssMiB();
    }),
  );
}

/** From the spawn of a process to the end of its first answer, in ms. */
export async function measureCold(effort: Effort): Promise<Single[]> {
  return singles(coldSubjects(effort.say), effort.isQuick ? 1 : coldRounds, async (subject) => {
    const server = await start(subject, effort.folder);
    try {
      await checkLoad(server, unaryLoads[0]);
      return performance.now() - server.spawnedAtMs;
    } finally {
      await server.stop();
    }
  });
}

/** The cost of a call with each policy alone. */
export async function measurePolicies(effort: Effort): Promise<Policy[]> {
  const sink = await openOtlpSink();
  try {
    return await measureEach(sink.url, effort);
  } finally {
    sink.close();
  }
}

/** `collector`: where traces go. */
async function measureEach(collector: string, effort: Effort): Promise<Policy[]> {
  const { plain, requestId, timeout } = policyLoads;
  const kinds = [
    '',
    'deadline',
    'log',
    'interceptor',
    'metadata',
    'signal',
    'bucket',
    'service',
    'metrics',
    'unsampled',
    'sampled',
  ] as const;
  const subjects = new Map(kinds.map((it) => [it, withPolicies(it, { COLLECTOR: collector })]));
  const table: readonly (readonly [string, (typeof kinds)[number], Load])[] = [
    ['none', '', requestId],
    ['a request id is made', '', plain],
    ['deadline, by default', 'deadline', requestId],
    ['deadline, from grpc-timeout', 'deadline', timeout],
    ['access log, to a file', 'log', requestId],
    ['an interceptor that does nothing', 'interceptor', requestId],
    ['an interceptor that reads and sets metadata', 'metadata', requestId],
    ['a method that asks for its signal', 'signal', requestId],
    ['a quota: a bucket of tokens', 'bucket', requestId],
    ['the Users service, over the store in memory', 'service', requestId],
    ['metrics', 'metrics', requestId],
    ['traces, not sampled', 'unsampled', requestId],
    ['traces, sampled, and sent by OTLP', 'sampled', requestId],
  ];
  const cases = [
    ...table.map(([title, kind, load]) => ({
      title,
      subject: subjects.get(kind) ?? withPolicies(kind),
      load,
    })),
    ...authCases(requestId),
  ];
  const rows = await measure([cases], effort);
  return rows.map(({ cpuMicros }, place) => ({ title: cases[place]?.title ?? '', cpuMicros }));
}

/** A call of those who have to say who they are, and one of nobody. */
function authCases(load: Load) {
  const keyed = withKey();
  const subjects = [
    { title: 'an API key', subject: keyed },
    { title: 'a token (JWT) that is known', subject: withTokens('jwt', 'RS256') },
    ...tokenAlgorithms.map((algorithm) => ({
      title: `a token that was never seen, ${algorithm}`,
      subject: withTokens('fresh jwt', algorithm),
    })),
  ];
  const known = subjects.map((it) => ({
    ...it,
    load: { ...load, headers: { ...load.headers, ...it.subject.headers } },
  }));
  return [...known, { title: 'no credential: refused', subject: keyed, load: { ...load, refusedAs: 16 } }];
}

async function singles(
  subjects: readonly Subject[],
  rounds: number,
  take: (subject: Subject) => Promise<number>,
): Promise<Single[]> {
  const readings = new Map<Subject, number[]>(subjects.map((it) => [it, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [subject, values] of readings) values.push(await take(subject));
  }
  return [...readings].map(([subject, values]) => ({ subject, figure: figureOf(values) }));
}
