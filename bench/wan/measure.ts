import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rpcLimits } from '../../functions/rpc/limits.ts';
import { type Figure, figureOf } from '../figure.ts';
import type { Effort } from '../measure.ts';
import { loadCore, serverCore } from '../process.ts';
import type { Subject } from '../subjects.ts';
import { buildGo, type GoPrograms, Link, type Path } from './link.ts';
import { atATime, type Reading } from './reading.ts';

const run = promisify(execFile);

/** All the memory for calls to one connection: eight of these requests hold some 40 MiB, and by default it has 24. */
const roomy = {
  MAX_HELD_BYTES_PER_CLIENT: String(rpcLimits.maxHeldBytes),
  MAX_HELD_BYTES_PER_CONNECTION: String(rpcLimits.maxHeldBytes),
};
/** 64 KiB, what HTTP/2 begins with (RFC 9113 section 6.9.2), on streams and the connection. */
const narrowKey = 'shipped narrow';
const narrow = { STREAM_WINDOW_BYTES: '65535', CONNECTION_WINDOW_BYTES: '65535' };
/** The namespace has no other server. */
const port = 50_051;
const startTimeoutMs = 20_000;
/** How many times the rounds of other loads. */
const timesRounds = 4;
/** LISTEN in /proc/net/tcp (`TCP_LISTEN`). */
const listening = / 0A /;

/** A client over a long path to a server. */
interface Pair {
  readonly client: 'ours' | 'grpc-go';
  readonly server: Subject;
}

/** What was measured of a pair with so many calls at a time: figures of their means. */
export interface WanRow extends Pair {
  readonly calls: readonly {
    readonly parallel: number;
    readonly firstMs: Figure;
    readonly wholeMs: Figure;
  }[];
}

/**
 * Measures calls with large requests and answers over a long path, by our client and grpc-go's. Each has a link and
 * a server of its own, as TCP remembers what it has learnt of a path (tcp_no_metrics_save of tcp(7)).
 *
 * @throws Error when there can be no link: on other systems than Linux, without root, or without Go
 */
export async function measureWan(servers: readonly Subject[], path: Path, effort: Effort): Promise<WanRow[]> {
  if (process.getuid?.() !== 0) throw new Error('network namespaces and TUN devices need root');
  const programs = buildGo();
  const pairs = pairsOf(servers);
  const readings = new Map<Pair, Reading[]>(pairs.map((it) => [it, []]));
  for (let count = 1; count <= effort.starts; count += 1) {
    for (const [pair, values] of readings) {
      effort.say(`start ${count} of ${effort.starts}: ${pair.client} to ${pair.server.title}`);
      values.push(...(await callOver(path, programs, pair, effort)));
    }
  }
  return [...readings].map(([pair, all]) => ({
    ...pair,
    calls: atATime.map((parallel) => {
      const values = all.filter((it) => it.parallel === parallel);
      return {
        parallel,
        firstMs: figureOf(
          means(
            values.map((it) => it.firstMs),
            parallel,
          ),
        ),
        wholeMs: figureOf(
          means(
            values.map((it) => it.wholeMs),
            parallel,
          ),
        ),
      };
    }),
  }));
}

/** The mean of each so many values: calls that are made at a time are printed one after the other. */
function means(values: readonly number[], count: number): number[] {
  return Array.from({ length: Math.floor(values.length / count) }, (_, index) => {
    const some = values.slice(index * count, (index + 1) * count);
    return some.reduce((sum, one) => sum + one) / count;
  });
}

function pairsOf(servers: readonly Subject[]): Pair[] {
  return servers.flatMap((it): Pair[] => {
    if (it.key === 'grpc-go') return byBoth(it);
    if (it.key === 'grpc-go-policies') return [{ client: 'grpc-go', server: it }];
    if (!it.key.startsWith('shipped')) return [];
    const ours = { ...it, env: { ...it.env, ...roomy } };
    if (it.key !== 'shipped') return byBoth(ours);
    const title = `${it.title}, windows of 64 KiB`;
    const withNarrow = { ...ours, key: narrowKey, title, env: { ...ours.env, ...narrow } };
    return [...byBoth(ours), { client: 'grpc-go', server: withNarrow }];
  });
}

function byBoth(server: Subject): Pair[] {
  return [
    { client: 'ours', server },
    { client: 'grpc-go', server },
  ];
}

async function callOver(path: Path, programs: GoPrograms, pair: Pair, effort: Effort): Promise<Reading[]> {
  await using link = await Link.open(programs.link, path);
  await using _server = await startAt(link, pair.server, effort.folder);
  const typedClient = fileURLToPath(new URL('typed-client.ts', import.meta.url));
  const client = pair.client === 'ours' ? [process.execPath, typedClient] : [programs.client];
  // With narrow windows one round tells enough, and takes ten seconds. Others take so long by chance, as TCP's windows
  // grow too, that they are repeated often.
  const rounds = effort.isQuick || pair.server.key === narrowKey ? 1 : timesRounds * effort.rounds;
  const args = [`${link.serverAddress}:${port}`, String(rounds)];
  const [program, ...rest] = link.at('client', loadCore, [...client, ...args]);
  const { stdout } = await run(program, rest);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function startAt(link: Link, subject: Subject, folder: string): Promise<AsyncDisposable> {
  const output = join(folder, `${subject.key} wan.log`);
  const file = openSync(output, 'a');
  const [program, ...args] = link.at('server', serverCore, subject.command);
  const env = { ...process.env, ...subject.env, HOST: link.serverAddress, AUTH: 'none', PORT: String(port) };
  const child = spawn(program, args, { env, stdio: ['ignore', file, file] });
  closeSync(file);
  const exited = once(child, 'exit');
  const server = {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
  const giveUpAtMs = performance.now() + startTimeoutMs;
  while (!isListening(child.pid)) {
    if (child.exitCode !== null || performance.now() > giveUpAtMs) {
      await server[Symbol.asyncDispose]();
      throw new Error(`${subject.title} does not listen: ${readFileSync(output, 'utf8')}`);
    }
    await delay(10);
  }
  return server;
}

/** Whether something listens in the network namespace of a process, once that is another than ours. */
function isListening(pid: number | undefined): boolean {
  try {
    const isThere = readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
    return isThere && listening.test(readFileSync(`/proc/${pid}/net/tcp`, 'utf8'));
  } catch {
    return false; // It has ended.
  }
}
