// What one request to DynamoDB costs this process, by the store's client and by the AWS SDK's, in turns, against a
// server that answers at once in a process of its own: `npx node bench/stores/client.ts`. CPU in µs a request, the
// least of the rounds; with one request at a time its median time too.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { BatchGetItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { limits } from '../../functions/limits.ts';
import { noEvents } from '../../functions/users/store.ts';
import { DynamoClient } from '../../functions/users/stores/dynamodb-client.ts';

const rounds = 8;
const requests = 3_000;

type Call = (i: number) => Promise<unknown>;

/** Answers each request with one user. */
function answer(): void {
  const user = { pk: { S: 'NAME#alexa-1' }, username: { S: 'alexa-1' }, userId: { N: '12345678' } };
  const body = JSON.stringify({ Responses: { users: [user] }, UnprocessedKeys: {} });
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end(body));
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' ? address?.port : undefined);
  });
  process.once('disconnect', () => process.exit());
}

async function callAll(call: Call, concurrency: number): Promise<number> {
  const times: number[] = [];
  let left = requests;
  async function keepCalling(): Promise<void> {
    while (left-- > 0) {
      const begunMs = performance.now();
      await call(left);
      times.push(performance.now() - begunMs);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, keepCalling));
  return times.sort((a, b) => a - b)[requests / 2] ?? Number.NaN;
}

async function compare(): Promise<void> {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_REGION: 'eu-west-1' });
  const server = fork(import.meta.filename, ['answer']);
  const [port] = await once(server, 'message');
  const endpoint = `http://127.0.0.1:${port}`;
  const agent = { keepAlive: true, maxSockets: limits.dynamoMaxSockets };
  const sdk = new DynamoDBClient({ endpoint, requestHandler: { httpAgent: agent, requestTimeout: 2_000 } });
  const ours = new DynamoClient({ endpoint, limits, events: noEvents });
  const { signal } = new AbortController();
  const input = (i: number) => {
    const ProjectionExpression = 'pk, username, userId, fingerprint, expiresAt, heldUntilMs';
    const keys = { Keys: [{ pk: { S: `NAME#alexa-${i}` } }], ConsistentRead: true, ProjectionExpression };
    return { RequestItems: { users: keys } };
  };
  const calls: Readonly<Record<string, Call>> = {
    sdk: (i) => sdk.send(new BatchGetItemCommand(input(i)), { abortSignal: signal }),
    ours: (i) => ours.send('BatchGetItem', input(i), signal),
  };
  for (const concurrency of [1, 32]) {
    const least: Record<string, { cpuMicros: number; p50Micros: number }> = {};
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, call] of Object.entries(calls)) {
        const before = process.cpuUsage();
        const p50Ms = await callAll(call, concurrency);
        const { user, system } = process.cpuUsage(before);
        const { cpuMicros = Infinity, p50Micros = Infinity } = least[name] ?? {};
        least[name] = {
          cpuMicros: Math.min(cpuMicros, (user + system) / requests),
          p50Micros: Math.min(p50Micros, p50Ms * 1000),
        };
      }
    }
    console.log(`${concurrency} at once`);
    console.table(least);
  }
  sdk.destroy();
  await ours.close();
  server.disconnect();
}

if (process.argv[2] === 'answer') answer();
else await compare();
