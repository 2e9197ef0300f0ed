// Proves, behind a stand-in of the platform, what a Web Function of the bundle does there: nothing runs until somebody
// calls, and again when nobody does; every environment ends by itself within the second after SIGTERM; clients of gRPC
// are told what works; a stream ends with a status before the platform cuts it; ceilings hold, and clients get over
// them; and revisions follow each other under load without a call that fails.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Code, createClient } from '@connectrpc/connect';
import { createUsersClient, type UsersClientOptions } from '../../client/client.ts';
import { originProofHeader } from '../../functions/process/origin-proof.ts';
import { Health } from '../../proto/gen/health/v1/health_pb.js';
import type { PlatformOptions } from '../../rehearsal/function/platform.ts';
import { webRequest } from '../e2e/web.ts';
import { eventually } from '../support/patience.ts';
import { endpoint, withoutEndpoint } from '../users/stores/dynamodb-setting.ts';
import { type FunctionSetting, startFunction } from './setting.ts';

/** As `infra/rpc-function.ts` sets it; the stand-in of Secrets Manager has one secret. */
const behindCloudFront = {
  ORIGIN_PROOF_SECRET: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:proof-AbCdEf',
  TRUSTED_PROXIES: '2',
};

const rounds = Number(process.env.FUNCTION_REVISIONS || 5);
const callers = 8;

/** Defines a test of a running function. */
function withFunction(
  name: string,
  options: PlatformOptions,
  use: (it: FunctionSetting) => Promise<void>,
): void {
  if (endpoint === undefined) return withoutEndpoint(name);
  const dynamodb = endpoint;
  test(name, async () => {
    await using running = await startFunction(dynamodb, options);
    await use(running);
    await running.platform[Symbol.asyncDispose]();
    assert.ok(running.platform.ends.length > 0);
    // Nobody had to be killed.
    for (const { code } of running.platform.ends) assert.equal(code, 0);
  });
}

const open = ({ target }: FunctionSetting, more: UsersClientOptions = {}) =>
  createUsersClient({
    endpoint: target.endpoint,
    tls: { ca: target.ca },
    serverName: target.serverName,
    token: target.token,
    protocol: 'connect',
    httpVersion: '1.1',
    ...more,
  });

const names = async (client: ReturnType<typeof open>) => {
  const found: (string | undefined)[] = [];
  const user = ['alexa', 'christie'].map((username) => ({ username }));
  for await (const { result } of client.getUsers({ user })) found.push(result.value?.username);
  return found;
};

withFunction('nothing runs while nobody calls', { idleMs: 300 }, async (running) => {
  const { platform } = running;
  assert.equal(platform.environments.size, 0);
  using client = open(running);
  assert.deepEqual(await names(client), ['alexa', 'christie']);
  assert.equal(platform.coldStarts, 1);
  assert.ok(await eventually(() => platform.environments.size === 0));
  assert.deepEqual(await names(client), ['alexa', 'christie']);
  assert.equal(platform.coldStarts, 2);
});

withFunction('the log has the form and the ids of the platform', {}, async (running) => {
  const { platform, target } = running;
  using client = open(running);
  let id: string | null = null;
  await client.createUser(
    { username: `f-${randomUUID().slice(0, 8)}` },
    {
      onHeader: (header) => {
        id = header.get('lambda-web-request-id');
      },
    },
  );
  assert.ok(id);
  const [environment] = platform.environments;
  const lines = () => (environment?.lines ?? []).map((it) => JSON.parse(it));
  assert.ok(await eventually(() => lines().some(({ requestId }) => requestId === id)));
  for (const line of lines()) {
    assert.match(line.level, /^(INFO|WARN)$/);
    assert.equal(typeof line.message, 'string');
    assert.ok(!Number.isNaN(Date.parse(line.timestamp)));
  }
  const { forwardedFor } = lines().find(({ requestId }) => requestId === id);
  assert.equal(forwardedFor, '127.0.0.1');
  assert.doesNotMatch(environment?.lines.join('\n') ?? '', new RegExp(target.token));
});

test('behind CloudFront a client is who CloudFront has seen, and nobody comes past it', async () => {
  if (endpoint === undefined) return withoutEndpoint('behind CloudFront');
  await using running = await startFunction(endpoint, {}, behindCloudFront);
  // What CloudFront adds; the platform adds CloudFront's address, here that of the test.
  const metadata = {
    'x-forwarded-for': '198.51.100.1, 203.0.113.9',
    [originProofHeader]: running.target.token,
  };
  using client = open(running, { metadata });
  assert.deepEqual(await names(client), ['alexa', 'christie']);
  using past = open(running, { metadata: { 'x-forwarded-for': '203.0.113.9' } });
  await assert.rejects(names(past), { code: Code.PermissionDenied });
  const [environment] = running.platform.environments;
  const calls = () =>
    (environment?.lines ?? []).map((it) => JSON.parse(it)).filter((it) => it.method === '/Users/GetUsers');
  assert.ok(await eventually(() => calls().length === 2));
  // What is said past CloudFront is nobody's address.
  assert.deepEqual(
    calls().map((it) => [it.code, it.forwardedFor]),
    [
      ['OK', '203.0.113.9'],
      ['PERMISSION_DENIED', undefined],
    ],
  );
});

withFunction('gRPC is told what works', {}, async (running) => {
  using client = open(running, { protocol: 'grpc', httpVersion: '2', retry: { maxAttempts: 1 } });
  await assert.rejects(client.createUser({ username: 'tom' }), {
    code: Code.Unavailable,
    rawMessage: 'what listens there does not speak HTTP/2, which gRPC needs',
  });
  // As a proxy in front would send it that speaks HTTP/2 to clients.
  const target = { ...running.target, async [Symbol.asyncDispose]() {} };
  const type = 'application/grpc';
  const { status, headers } = await webRequest(target, '/Users/GetUsers', { 'content-type': type }, '');
  assert.deepEqual([status, headers['content-type'], headers['grpc-status']], [200, type, '12']);
  assert.match(
    decodeURIComponent(String(headers['grpc-message'])),
    /use Connect or gRPC-Web here, or .* the container$/,
  );
  using first = open(running);
  assert.deepEqual(await names(first), ['alexa', 'christie']);
});

withFunction('a stream ends with a status before it is cut', { timeoutMs: 3_000 }, async (running) => {
  using client = open(running, { deadlineMs: 0 });
  const health = createClient(Health, client.transport);
  const ended = async (timeoutMs: number) => {
    for await (const _ of health.watch({}, { timeoutMs }));
  };
  // One that has no deadline is a watch, which is to be begun anew; one that has too long a one misses it.
  await assert.rejects(ended(0), { code: Code.Unavailable });
  await assert.rejects(ended(60_000), { code: Code.DeadlineExceeded });
});

withFunction('a client gets over the ceiling of an endpoint', { rateLimit: 20 }, async (running) => {
  // Half of the calls come too many. A call waits for the next second by chance: with five attempts one of them may not.
  using client = open(running, { retry: { maxAttempts: 20 } });
  const users = Array.from({ length: 40 }, () =>
    client.getAccount({ key: { key: { case: 'username', value: 'alexa' } } }),
  );
  const accounts = await Promise.all(users);
  assert.equal(accounts.length, 40);
});

withFunction(
  `${rounds} revisions under load: no call fails`,
  { callsPerEnvironment: 4, maxEnvironments: 6 },
  async (running) => {
    const { platform, revision } = running;
    const stop = new AbortController();
    let calls = 0;
    const failures: unknown[] = [];
    const work = async (protocol: 'connect' | 'grpc-web') => {
      using client = open(running, { protocol });
      while (!stop.signal.aborted) {
        try {
          const username = `f-${randomUUID().slice(0, 12)}`;
          const { user } = await client.createUser({ username });
          assert.equal(user?.username, username);
          assert.deepEqual(await names(client), ['alexa', 'christie']);
          calls += 2;
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const working = Array.from({ length: callers }, (_, n) => work(n % 2 === 0 ? 'connect' : 'grpc-web'));
    for (let round = 0; round < rounds; round++) {
      const before = calls;
      assert.ok(await eventually(() => calls >= before + 4 * callers || failures.length > 0));
      platform.deploy({ ...revision, environment: { ...revision.environment, ROUND: String(round) } });
      await delay(0);
    }
    const before = calls;
    assert.ok(await eventually(() => calls >= before + 4 * callers || failures.length > 0));
    stop.abort();
    await Promise.all(working);
    assert.deepEqual(failures, []);
    assert.ok(platform.coldStarts > rounds);
    console.log(`${calls} calls, ${rounds} revisions, ${platform.coldStarts} starts, no failure`);
  },
);
