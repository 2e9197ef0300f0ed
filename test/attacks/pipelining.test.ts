// Proves that requests which one HTTP/1.1 connection sends at once are not all begun at once, in whatever protocol.
import { test } from 'node:test';
import { connectUnary, get, getUsers, maxUsers } from './requests.ts';
import { bundleOnce } from './watched-server.ts';
import { withstand } from './withstand.ts';

bundleOnce();

const one = { from: '127.0.0.2', http: '1.1', connections: 1, reading: 'all' } as const;

test('Connect: 400 requests of 221 bytes, each for 10,000 users', async (t) => {
  const requests = [getUsers(maxUsers, { way: 'connect+json', isCompressed: true })];
  await withstand(t, { attacks: [{ ...one, requests, times: 400 }] });
});

test('gRPC-Web, and Connect with protobuf: 400 requests of some 70 bytes, each for 10,000 users', async (t) => {
  const ways = ['grpc-web', 'connect'] as const;
  const requests = ways.map((way) => getUsers(maxUsers, { way, isCompressed: true }));
  await withstand(t, { attacks: [{ ...one, requests, times: 200 }] });
});

test('/users/: 400 requests of 10 KB, each for 1,000 users', async (t) => {
  const requests = [get(`/users/?${'user_id=1&'.repeat(1_000).slice(0, -1)}`)];
  await withstand(t, { attacks: [{ ...one, requests, times: 400 }] });
});

test('20,000 small requests of 4 connections: sign-ups, health checks, users and paths that there are not', async (t) => {
  const signUp = Buffer.from('{"username":"alexa"}');
  const requests = [
    connectUnary('/Users/CreateUser', signUp, { format: 'json' }),
    get('/healthz'),
    get('/nothing'),
    get('/users/'),
  ];
  await withstand(t, { attacks: [{ ...one, connections: 4, requests, times: 1_250 }] });
});
