// Proves that the client learns of the server's health, and waits for it as long as waiting can help.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code } from '@connectrpc/connect';
import { createUsersClient } from '../../client/client.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import { startRawServer, startServer } from './server.ts';

test('health names the status; ready waits for SERVING', async () => {
  const statuses = [Status.NOT_SERVING, Status.NOT_SERVING, Status.SERVING];
  const asked: string[] = [];
  await using server = await startServer(
    {},
    {
      routes: (router) =>
        router.service(Health, {
          check({ service }) {
            asked.push(service);
            return { status: statuses.shift() ?? Status.SERVING };
          },
        }),
    },
  );
  using client = createUsersClient({ endpoint: server.endpoint });
  assert.equal(await client.health('Users'), 'NOT_SERVING');
  await client.ready();
  assert.deepEqual(asked, ['Users', '', '']);
});

test('ready sends the metadata of the client', async () => {
  const seen: (string | null)[] = [];
  await using server = await startServer(
    {},
    {
      routes: (router) =>
        router.service(Health, {
          check(_, { requestHeader }) {
            seen.push(requestHeader.get('tier'));
            return { status: Status.SERVING };
          },
        }),
    },
  );
  using client = createUsersClient({ endpoint: server.endpoint, metadata: { tier: 'core' } });
  await client.ready();
  assert.deepEqual(seen, ['core']);
});

test('ready gives up after its time, and says where and why', async () => {
  const server = await startServer();
  await server[Symbol.asyncDispose]();
  using client = createUsersClient({ endpoint: server.endpoint });
  await assert.rejects(client.ready({ timeoutMs: 150 }), {
    code: Code.Unavailable,
    rawMessage: `could not connect to ${server.endpoint} within 150 ms: no connection: connect ECONNREFUSED 127.0.0.1:${server.port}`,
  });
});

for (const timeoutMs of [31 * 24 * 3600 * 1000, Number.POSITIVE_INFINITY]) {
  test(`ready may wait longer than a timer can: ${timeoutMs} ms`, async () => {
    const deadlines: (number | undefined)[] = [];
    await using server = await startServer(
      {},
      {
        routes: (router) =>
          router.service(Health, {
            check(_, context) {
              deadlines.push(context.timeoutMs());
              return { status: Status.SERVING };
            },
          }),
      },
    );
    using client = createUsersClient({ endpoint: server.endpoint });
    await client.ready({ timeoutMs, signal: AbortSignal.timeout(5_000) });
    const [deadline = 0] = deadlines;
    assert.ok(deadline > 24 * 24 * 3600 * 1000, String(deadline));
  });
}

test('ready does not wait for what waiting can not cure, and takes an answer without health checks for ready', async () => {
  let status = '16';
  await using server = await startRawServer((stream) => {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status },
      { endStream: true },
    );
  });
  using client = createUsersClient({ endpoint: server.endpoint });
  await assert.rejects(client.ready({ timeoutMs: 60_000 }), { code: Code.Unauthenticated });
  status = '12';
  await client.ready();
});

test('ready can be cancelled', async () => {
  const server = await startServer();
  await server[Symbol.asyncDispose]();
  using client = createUsersClient({ endpoint: server.endpoint });
  const controller = new AbortController();
  const waiting = client.ready({ timeoutMs: 60_000, signal: controller.signal });
  setImmediate(() => controller.abort());
  await assert.rejects(waiting, { code: Code.Canceled });
});
