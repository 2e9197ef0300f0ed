// Prints how long a cold start takes as a Web Function, from the spawn of a process to its first answer over HTTP/1.1,
// for the bundle on DynamoDB (DYNAMODB_ENDPOINT) and for a bare server of node:http, in turns: `npm run cold:function`.
// Unpacking the zip is the platform's, and is not counted; nor is the fetch of a key, which takes a network.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fromHere, root } from '../support/process.ts';
import { testTable } from '../users/stores/dynamodb-table.ts';

const rounds = Number(process.env.ROUNDS || 15);
const endpoint = process.env.DYNAMODB_ENDPOINT;
if (endpoint === undefined) throw new Error('eval "$(.ci/dynamodb start)" sets DYNAMODB_ENDPOINT');

const floor = `const [host, port] = process.env.AWS_LAMBDA_HTTP_ENDPOINT.split(':');
require('node:http').createServer((_, response) => response.end('{}')).listen(Number(port), host);`;

const table = await testTable(endpoint);
const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION } = process.env;
const credentials = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION };
const settings = { USERS_TABLE: table.name, DYNAMODB_ENDPOINT: endpoint, AUTH: 'none' };
const subjects = [
  { name: 'node:http, an empty answer', args: ['-e', floor], path: '/' },
  { name: 'the bundle, GET /healthz', args: [join(root, 'dist/users/main.mjs')], path: '/healthz' },
  {
    name: 'the bundle, a user who is read',
    args: [join(root, 'dist/users/main.mjs')],
    path: '/users/?username=alexa',
  },
].map((it) => ({ ...it, ms: [] as number[] }));

let port = 42_000 + (process.pid % 1000);
try {
  for (let round = 0; round < rounds; round++) {
    for (const { args, path, ms } of subjects) {
      port += 1;
      ms.push(await startMs(args, path, port));
    }
  }
} finally {
  await table.remove();
}
const median = (ms: number[]) => ms.sort((a, b) => a - b)[Math.floor(ms.length / 2)] ?? Number.NaN;
const floorMs = median(subjects[0]?.ms ?? []);
for (const { name, ms } of subjects) {
  console.log(
    `${name.padEnd(34)} ${median(ms).toFixed(0).padStart(5)} ms  ${(median(ms) / floorMs).toFixed(2)}`,
  );
}

async function startMs(args: readonly string[], path: string, at: number): Promise<number> {
  const begunMs = performance.now();
  const env = { ...fromHere(), ...credentials, ...settings, AWS_LAMBDA_HTTP_ENDPOINT: `127.0.0.1:${at}` };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    while (child.exitCode === null) {
      if (await isAnswered(path, at)) return performance.now() - begunMs;
      await delay(1);
    }
    throw new Error(`it has ended: ${args}`);
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
}

function isAnswered(path: string, at: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  http
    .get({ host: '127.0.0.1', port: at, path, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    })
    .on('error', () => resolve(false));
  return promise;
}
