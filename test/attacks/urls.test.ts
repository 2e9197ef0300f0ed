// Proves that a long URL costs the server no more than the same bytes elsewhere, whether its answer is read or not.
import { test } from 'node:test';
import type { Attack } from './attack.ts';
import { get } from './requests.ts';
import { bundleOnce } from './watched-server.ts';
import { withstand } from './withstand.ts';

bundleOnce();

/** All request headers of a call are 64 KiB at most; this leaves room for the others. */
const urlCharacters = 64_000;
const user = 'user_id=1&';
const usersUrl = get(`/users/?${user.repeat(urlCharacters / user.length)}timeout=300`);
const ten = { from: '127.0.0.2', http: '1.1', connections: 10, reading: 'all' } as const;

test('/users/: 10 URLs of 64 KB a second', async (t) => {
  await withstand(t, { attacks: [{ ...ten, requests: [usersUrl], times: 2, perSecond: 10 }], forMs: 1_500 });
});

test('/users/: 150 connections with a URL of 64 KB that read nothing', async (t) => {
  await withstand(t, { attacks: [{ ...ten, connections: 150, requests: [usersUrl], reading: 'none' }] });
});

test('/users/ over HTTP/2: 256 URLs of 64 KB, windows shut', async (t) => {
  const attack: Attack = {
    ...ten,
    http: '2',
    connections: 1,
    requests: [usersUrl],
    times: 256,
    reading: 'none',
  };
  await withstand(t, { attacks: [attack] });
});

test('100 URLs of 64 KB a second: calls of Connect by GET, and paths that there are not', async (t) => {
  const message = Buffer.from(JSON.stringify({ username: 'a'.repeat(45_000) })).toString('base64url');
  const query = `connect=v1&encoding=json&base64=1&message=${message}`;
  const requests = [
    get(`/Users/CreateUser?${query}`),
    get(`/grpc.health.v1.Health/Check?${query}`),
    get(`/${'x'.repeat(urlCharacters)}`),
    get(`/?${'x=%25&'.repeat(urlCharacters / 6)}`),
  ];
  await withstand(t, { attacks: [{ ...ten, requests, times: 4, perSecond: 100 }], forMs: 1_500 });
});
