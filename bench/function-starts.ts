import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { figureOf } from './figure.ts';
import type { Effort } from './measure.ts';
import type { Single } from './parts.ts';
import { freePort, serverCore } from './process.ts';
import { openDouble } from './stores/double/server.ts';
import { inNode, root, type Subject } from './subjects.ts';

const rounds = 15;

/** What is started, and what it is asked first. */
const cases: readonly { readonly subject: Subject; readonly path: string }[] = [
  { subject: inNode('floor http', 'node:http, an empty answer', 'servers/floor-http.mjs'), path: '/' },
  { subject: bundle('function', 'ours as a Web Function, GET /healthz'), path: '/healthz' },
  {
    subject: bundle('function read', 'ours as a Web Function, a user from its table'),
    path: '/users/?username=alexa',
  },
];

function bundle(key: string, title: string): Subject {
  return { key, title, command: [process.execPath, `${root}dist/users/main.mjs`] };
}

/**
 * From the spawn of a process to the end of its first answer over HTTP/1.1, in ms, as a Web Function of AWS Lambda
 * starts: without flags of Node, and with a table, of which a double on this machine answers. What the platform does
 * before is not in it, nor is the fetch of a key.
 */
export async function measureFunctionStarts({ isQuick }: Effort): Promise<Single[]> {
  const double = await openDouble(['users'], 0);
  const readings = cases.map((it) => ({ ...it, ms: [] as number[] }));
  try {
    for (let round = 0; round < (isQuick ? 1 : rounds); round += 1) {
      for (const { subject, path, ms } of readings) ms.push(await startMs(subject, path, double.url));
    }
  } finally {
    double.close();
  }
  return readings.map(({ subject, ms }) => ({ subject, figure: figureOf(ms) }));
}

async function startMs({ command }: Subject, path: string, table: string): Promise<number> {
  const port = await freePort();
  const env = {
    PATH: process.env.PATH,
    AWS_LAMBDA_HTTP_ENDPOINT: `127.0.0.1:${port}`,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
    USERS_TABLE: 'users',
    DYNAMODB_ENDPOINT: table,
    AUTH: 'none',
  };
  const begunMs = performance.now();
  const child = spawn('taskset', ['-c', serverCore, ...command], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    while (child.exitCode === null) {
      if (await isAnswered(path, port)) return performance.now() - begunMs;
      await delay(1);
    }
    throw new Error(`it has ended: ${command.join(' ')}`);
  } finally {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

function isAnswered(path: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  http
    .get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    })
    .on('error', () => resolve(false));
  return promise;
}
