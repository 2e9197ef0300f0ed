import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Load } from './loads.ts';
import { loadCore, originOf, type Running } from './process.ts';

const run = promisify(execFile);

/** What one run of a load has shown. */
export interface Reading {
  /** CPU time of the server for one message, in µs. */
  readonly cpuMicros: number;
  /** Messages per second. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Makes a number of calls with h2load and measures them.
 *
 * @throws Error unless every call was answered with as many bytes as it must be
 */
export async function drive(
  server: Running,
  load: Load,
  calls: number,
  answerBytes: number,
  folder: string,
): Promise<Reading> {
  const body = join(folder, 'body');
  const times = join(folder, 'times');
  writeFileSync(body, load.body);
  writeFileSync(times, '');
  const { connections, streams } = load;
  const options = { n: calls, c: connections, m: streams, t: 1, d: body };
  const args = [
    ...Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)]),
    ...Object.entries(load.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ...(load.isHttp1 ? ['--h1'] : []),
    `--log-file=${times}`,
    `${originOf(server)}${load.path}`,
  ];
  const cpuBefore = server.cpuMicros();
  const { stdout } = await run('taskset', ['-c', loadCore, 'h2load', ...args]);
  const cpuMicros = server.cpuMicros() - cpuBefore;
  const succeeded = Number(/(\d+) succeeded/.exec(stdout)?.[1]);
  const bytes = Number(/\((\d+)\) data/.exec(stdout)?.[1]);
  if (succeeded !== calls || bytes !== calls * answerBytes) {
    throw new Error(`${server.subject.title} did not answer every call of ${load.title}:\n${stdout}`);
  }
  // A line for each call: when it began, its HTTP status, and the µs until its end.
  const took = readFileSync(times, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Number(line.split('\t')[2]));
  took.sort((a, b) => a - b);
  const percentileMs = (part: number) => (took[Math.floor(took.length * part)] ?? Number.NaN) / 1000;
  return {
    cpuMicros: cpuMicros / (calls * load.messages),
    rate: Number(/([\d.]+) req\/s/.exec(stdout)?.[1]) * load.messages,
    p50Ms: percentileMs(0.5),
    p99Ms: percentileMs(0.99),
  };
}
