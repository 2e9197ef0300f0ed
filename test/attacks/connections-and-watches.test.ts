// Proves that one peer gets no more than its share of what may last for ever: connections, watches and reflection
// calls.
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { createUsersClient, type UsersClient } from '../../client/client.ts';
import {
  ServerReflection,
  ServerReflectionRequestSchema,
} from '../../functions/rpc/standard/gen/grpc/reflection/v1/reflection_pb.js';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import type { Attack } from './attack.ts';
import { call, get } from './requests.ts';
import { bundleOnce, type WatchedServer } from './watched-server.ts';
import { again, withstand } from './withstand.ts';

bundleOnce();

/** What a quiet client gives each of its own. */
const patience = { timeoutMs: 1_000 };
const untimed = { timeoutMs: Number.POSITIVE_INFINITY };
const watchPath = '/grpc.health.v1.Health/Watch';
const reflectionPath = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const four = { from: '127.0.0.2', http: '2', connections: 4, reading: 'all' } as const;

test('4 connections with all watches that they can have', async (t) => {
  const watch = call(watchPath, Buffer.alloc(0), { way: 'grpc', ...untimed });
  await withstand(t, { attacks: [{ ...four, requests: [watch], times: 256 }], meanwhile: watchQuietly });
});

test('1,100 connections of HTTP/1.1 with a watch each', async (t) => {
  const watch = call(watchPath, Buffer.from('{}'), { way: 'connect+json', ...untimed });
  const attack: Attack = { ...four, http: '1.1', connections: 1_100, requests: [watch] };
  await withstand(t, { attacks: [attack], forMs: 1_500, meanwhile: watchQuietly });
});

test('4 connections with all reflection calls that they can have', async (t) => {
  const request = call(reflectionPath, Buffer.alloc(0), { way: 'grpc', ...untimed });
  const attack: Attack = { ...four, requests: [{ ...request, isEndless: true }], times: 256 };
  await withstand(t, { attacks: [attack], meanwhile: reflectQuietly });
});

test('reflection: 16 calls of 50,000 questions each, of five bytes, that are answered', async (t) => {
  const request = call(reflectionPath, Buffer.alloc(0), { way: 'grpc' });
  const body = Buffer.alloc(50_000 * request.body.length, request.body);
  await withstand(t, { attacks: [{ ...four, requests: [{ ...request, body }], times: 4 }] });
});

test('one peer opens 4,200 connections', async (t) => {
  const attack: Attack = { ...four, http: '1.1', connections: 4_200, requests: [get('/healthz')] };
  await withstand(t, { attacks: [attack], forMs: 2_500 });
});

/** Opens a watch, again and again, which must tell the status each time. */
async function watchQuietly(server: WatchedServer, isOver: AbortSignal): Promise<void> {
  using client = quietClient(server);
  const health = createClient(Health, client.transport);
  await again(isOver, async () => {
    for await (const { status } of health.watch({}, patience)) return status === Status.SERVING;
    return false;
  });
}

/** Asks which services there are, again and again, with a call each time. */
async function reflectQuietly(server: WatchedServer, isOver: AbortSignal): Promise<void> {
  using client = quietClient(server);
  const reflection = createClient(ServerReflection, client.transport);
  async function* questions() {
    yield create(ServerReflectionRequestSchema, { messageRequest: { case: 'listServices', value: '' } });
  }
  await again(isOver, async () => {
    for await (const { messageResponse } of reflection.serverReflectionInfo(questions(), patience)) {
      return messageResponse.case === 'listServicesResponse';
    }
    return false;
  });
}

function quietClient({ port }: WatchedServer): UsersClient {
  return createUsersClient({ endpoint: `http://127.0.0.1:${port}`, retry: { maxAttempts: 1 } });
}
