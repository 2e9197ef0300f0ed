// Proves that whoever signs up with passwords as fast as it can leaves others their turn: a hash takes 19 MiB and a
// core.
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { createUsersClient } from '../../client/client.ts';
import { CreateUserRequestSchema } from '../../proto/gen/users_types_pb.js';
import type { Attack, AttackRequest } from './attack.ts';
import { call, connectUnary } from './requests.ts';
import { bundleOnce, type WatchedServer } from './watched-server.ts';
import { again, withstand } from './withstand.ts';

bundleOnce();

const forMs = 2_000;
const perSecond = 150;
/** So many come at once before: more than may wait for their turn. */
const burst = 80;
const path = '/Users/CreateUser';
const password = 'a password';
/** A hash takes some 25 ms, or three times that where others have both cores. */
const patience = { timeoutMs: 2_000 };
const one = { from: '127.0.0.2', http: '2', connections: 1, reading: 'all' } as const;

test('gRPC: 150 sign-ups a second with a password, all of one taken name', async (t) => {
  const user = create(CreateUserRequestSchema, { username: 'alexa', password });
  const requests = [call(path, toBinary(CreateUserRequestSchema, user), { way: 'grpc' })];
  const attack: Attack = { ...one, requests, times: burst };
  await withstand(t, {
    attacks: [attack, { ...attack, times: (perSecond * forMs) / 1_000, perSecond }],
    forMs,
    meanwhile: signUpQuietly,
  });
});

test('Connect: 150 sign-ups a second with a password, each of a new name', async (t) => {
  const attack: Attack = { ...one, requests: newSignUps('burst', burst) };
  const more: Attack = { ...one, requests: newSignUps('later', (perSecond * forMs) / 1_000), perSecond };
  await withstand(t, { attacks: [attack, more], forMs, meanwhile: signUpQuietly });
});

function newSignUps(prefix: string, count: number): AttackRequest[] {
  return Array.from({ length: count }, (_, number) => {
    const message = Buffer.from(JSON.stringify({ username: `${prefix}-${number}`, password }));
    return connectUnary(path, message, { format: 'json' });
  });
}

/** Signs up with passwords, again and again, which must succeed each time. */
async function signUpQuietly({ port }: WatchedServer, isOver: AbortSignal): Promise<void> {
  using client = createUsersClient({ endpoint: `http://127.0.0.1:${port}`, retry: { maxAttempts: 1 } });
  await again(isOver, async (attempt) => {
    const { user } = await client.createUser({ username: `quiet-${attempt}`, password }, patience);
    return user !== undefined;
  });
}
