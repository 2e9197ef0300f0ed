// Proves that a client which does not read what it asked for, or does not end what it sends, holds little of the
// server's memory, and that one which reads does not make others wait, in every protocol.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createUsersClient } from '../../client/client.ts';
import type { Attack } from './attack.ts';
import { connectUnary, getUsers, maxUsers } from './requests.ts';
import { bundleOnce, type WatchedServer } from './watched-server.ts';
import { withstand } from './withstand.ts';

bundleOnce();

const two = { from: '127.0.0.2', http: '2', connections: 2 } as const;
/** What a quiet client gives a request for many users. */
const patience = { timeoutMs: 5_000 };
/** Its own reading is work, too, on the clock of the quiet client. */
const betweenMs = 300;
const small = getUsers(maxUsers, { way: 'grpc', isCompressed: true });

test('gRPC: 512 requests of 61 bytes, each for 10,000 users, windows shut', async (t) => {
  const attack: Attack = { ...two, requests: [small], times: 256, reading: 'none' };
  await withstand(t, { attacks: [attack], meanwhile: askForMany });
});

test('gRPC: 512 requests of 61 bytes, each for 10,000 users, all read', async (t) => {
  await withstand(t, { attacks: [{ ...two, requests: [small], times: 256, reading: 'all' }] });
});

test('gRPC-Web and Connect over HTTP/2: 512 such requests, windows shut', async (t) => {
  const ways = ['grpc-web', 'connect', 'grpc-web+json', 'connect+json'] as const;
  const requests = ways.map((way) => getUsers(maxUsers, { way, isCompressed: true }));
  await withstand(t, { attacks: [{ ...two, requests, times: 64, reading: 'none' }] });
});

test('Connect: 3 connections of 400 pipelined requests, each for 10,000 users in 30 KB, read slowly', async (t) => {
  const requests = [getUsers(maxUsers, { way: 'connect+json' })];
  const attack: Attack = { ...two, http: '1.1', connections: 3, requests, times: 400, reading: 'slow' };
  await withstand(t, { attacks: [attack] });
});

test('gRPC: 512 requests of 1 MiB whose last byte never comes', async (t) => {
  const request = getUsers(2 ** 19 - 8, { way: 'grpc' });
  const requests = [{ ...request, body: request.body.subarray(0, -1), isEndless: true }];
  await withstand(t, {
    attacks: [{ ...two, requests, times: 256, reading: 'all' }],
    forMs: 2_000,
  });
});

test('Connect: 300 connections with a request of 1 MiB whose last byte never comes', async (t) => {
  const message = Buffer.from(`{"username":"${'a'.repeat(2 ** 20 - 100)}"}`);
  const requests = [{ ...connectUnary('/Users/CreateUser', message, { format: 'json' }), isEndless: true }];
  await withstand(t, { attacks: [{ ...two, http: '1.1', connections: 300, requests, reading: 'all' }] });
});

/** Asks for as many users as one request may, one request after the other: memory for that must be left. */
async function askForMany({ port }: WatchedServer, isOver: AbortSignal): Promise<void> {
  using client = createUsersClient({ endpoint: `http://127.0.0.1:${port}`, retry: { maxAttempts: 1 } });
  const user = Array.from({ length: maxUsers }, (_, number) => ({ username: `user-${number}` }));
  while (!isOver.aborted) {
    let results = 0;
    for await (const _ of client.getUsers({ user }, patience)) results += 1;
    assert.equal(results, maxUsers);
    await delay(betweenMs, undefined, { signal: isOver }).catch(() => {}); // over: the loop ends
  }
}
