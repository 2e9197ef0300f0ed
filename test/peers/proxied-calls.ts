import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { limits } from '../../functions/limits.ts';
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { Health, HealthCheckResponse_ServingStatus } from '../../proto/gen/health/v1/health_pb.js';
import { Users } from '../../proto/gen/users_pb.js';
import { uniqueName } from '../e2e/target.ts';
import type { Check } from './peer.ts';
import { type Proxied, watchesPerClient } from './proxied.ts';
import { ProxiedLoad } from './proxied-load.ts';

/**
 * Checks a proxy in front of two servers: calls of every kind, what is too long, whom the servers take for their
 * client, and that no call fails while both servers are replaced.
 */
export async function checkProxied(proxied: Proxied, check: Check): Promise<void> {
  const { endpoint: baseUrl, ca } = proxied;
  const nodeOptions = { ca };
  const transports: Record<string, Transport> = {
    gRPC: createGrpcTransport({ baseUrl, nodeOptions }),
    'gRPC-Web over HTTP/1.1': createGrpcWebTransport({ baseUrl, httpVersion: '1.1', nodeOptions }),
    'gRPC-Web over HTTP/2': createGrpcWebTransport({ baseUrl, httpVersion: '2', nodeOptions }),
    'Connect over HTTP/1.1': createConnectTransport({ baseUrl, httpVersion: '1.1', nodeOptions }),
    'Connect over HTTP/2': createConnectTransport({ baseUrl, httpVersion: '2', nodeOptions }),
  };
  for (const [name, transport] of Object.entries(transports)) await callAll(`${name}: `, transport, check);
  await clientsAreCounted(proxied, check);
  await replaceUnderLoad(proxied, check);
}

/** Watches are counted by the address that the proxy saw, whatever the client claims. */
async function clientsAreCounted({ endpoint: baseUrl, ca }: Proxied, check: Check): Promise<void> {
  const ended = new AbortController();
  const watch = async (localAddress: string, claimed: string) => {
    const port = Number(new URL(baseUrl).port);
    const createConnection = () =>
      tls.connect({
        socket: net.connect({ host: '127.0.0.1', port, localAddress }),
        ...{ host: '127.0.0.1', ca, ALPNProtocols: ['h2'] },
      });
    const transport = createGrpcTransport({ baseUrl, nodeOptions: { createConnection } });
    const health = createClient(Health, transport);
    const options = { headers: { 'x-forwarded-for': claimed }, signal: ended.signal };
    await health.watch({ service: 'Users' }, options)[Symbol.asyncIterator]().next();
  };
  await check('clients are counted by the address that the proxy saw, not by what they claim', async () => {
    // More than both servers take of one client.
    const watches = Array.from({ length: 2 * watchesPerClient + 1 }, (_, i) =>
      watch('127.0.0.7', `203.0.113.${i}`),
    );
    const results = await Promise.allSettled(watches);
    const refused = results
      .filter((it) => it.status === 'rejected')
      .map((it) => ConnectError.from(it.reason));
    assert.ok(refused.length > 0, 'all were taken');
    for (const { code } of refused) assert.equal(code, Code.ResourceExhausted);
    await watch('127.0.0.8', '127.0.0.7');
  });
  ended.abort();
}

/**
 * Ends and replaces one server, then the other, while calls of every kind are made. A connection that waits to be
 * accepted when the server ends is reset with the request in it: nginx repeats what came by proxy_pass, but answers 502
 * to gRPC.
 */
async function replaceUnderLoad(proxied: Proxied, check: Check): Promise<void> {
  const load = new ProxiedLoad({
    url: proxied.endpoint,
    ca: proxied.ca,
    serverName: undefined,
    token: undefined,
  });
  await load.start();
  for (const index of [0, 1] as const) {
    await load.calls(100);
    await proxied.end(index);
    await load.calls(100);
    await proxied.replace(index);
  }
  await load.calls(100);
  await load.stop();
  for (const [kind, failures] of load.failures) {
    await check(`both servers are replaced under load: no ${kind} fails`, () => {
      assert.deepEqual(failures, []);
    });
  }
  await check('both servers are replaced under load: no acknowledged user is lost', async () => {
    assert.deepEqual(await load.lost(), []);
  });
}

async function callAll(prefix: string, transport: Transport, check: Check): Promise<void> {
  const users = createClient(Users, transport);
  const health = createClient(Health, transport);
  const username = uniqueName();
  const user = Array(10_000).fill({ username });
  await check(`${prefix}create a user, with metadata; the request id comes back`, async () => {
    let id: string | null = null;
    await users.createUser(
      { username },
      {
        headers: { ip: '127.0.0.1', 'trace-bin': 'AP8', 'x-request-id': 'peer-1' },
        onHeader(headers) {
          id = headers.get('x-request-id');
        },
      },
    );
    assert.equal(id, 'peer-1');
  });
  await check(`${prefix}stream 10,000 users`, async () => {
    let received = 0;
    for await (const { result } of users.getUsers({ user }))
      if (result.value?.username === username) received++;
    assert.equal(received, 10_000);
  });
  await check(`${prefix}a message arrives while its stream stays open`, async () => {
    for await (const { status } of health.watch({ service: 'Users' }, { timeoutMs: 10_000 })) {
      assert.equal(status, HealthCheckResponse_ServingStatus.SERVING);
      break;
    }
  });
  await check(`${prefix}a name that is taken: ALREADY_EXISTS with ErrorInfo`, async () => {
    const error = await failure(users.createUser({ username }));
    assert.equal(error.code, Code.AlreadyExists);
    assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, 'USERNAME_TAKEN');
  });
  await check(`${prefix}bad input: INVALID_ARGUMENT with every violation in BadRequest`, async () => {
    const error = await failure(users.createUser({ username: '-', email: 'nowhere' }));
    assert.equal(error.code, Code.InvalidArgument);
    const fields = error.findDetails(BadRequestSchema).flatMap((it) => it.fieldViolations);
    assert.deepEqual(fields.map((it) => it.field).sort(), ['email', 'username']);
  });
  await check(`${prefix}a deadline that the server alone keeps: DEADLINE_EXCEEDED`, async () => {
    const headers = { 'connect-timeout-ms': '0', 'grpc-timeout': '1n' };
    const error = await failure(drain(users.getUsers({ user }, { headers })));
    assert.equal(error.code, Code.DeadlineExceeded);
    assert.match(error.rawMessage, /^the deadline passed/);
  });
  await check(`${prefix}a message as large as it may be, and one that is larger`, async () => {
    const roomy = 1_000;
    const email = (bytes: number) => users.createUser({ username, email: 'e'.repeat(bytes) });
    const fits = await failure(email(limits.maxRequestBytes - roomy));
    assert.equal(fits.code, Code.InvalidArgument);
    const tooLong = await failure(email(limits.maxRequestBytes + roomy));
    assert.equal(tooLong.code, Code.ResourceExhausted);
  });
  await check(`${prefix}leave a stream, then call again`, async () => {
    for await (const _ of users.getUsers({ user })) break;
    // Behind Envoy, Node's client loses one of a hundred short answers, with either engine of the server: they are all
    // there before it reads.
    const call = () => drain(users.getUsers({ user: [{ username }] }));
    const isLost = (error: unknown) => ConnectError.from(error).rawMessage === 'Premature close';
    await call().catch((error) => (isLost(error) ? call() : Promise.reject(error)));
  });
}

async function failure(work: Promise<unknown>): Promise<ConnectError> {
  try {
    await work;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error('the call did not fail');
}

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}
