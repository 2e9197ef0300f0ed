// Proves that requests which gzip or HPACK makes a thousand times smaller than they are cost the server what they
// weigh, in every protocol.
import { test } from 'node:test';
import type { Attack, AttackRequest } from './attack.ts';
import { call, connectUnary, getOneMiBOfUsers, getUsers, type Way } from './requests.ts';
import { bundleOnce } from './watched-server.ts';
import { withstand } from './withstand.ts';

bundleOnce();

const one = { from: '127.0.0.2', http: '2', connections: 1, reading: 'all' } as const;
const floods = (ways: readonly Way[]) => ways.map((way) => getOneMiBOfUsers({ way, isCompressed: true }));

test('gRPC: 20 requests of 1 KB, each 1 MiB of users', async (t) => {
  await withstand(t, { attacks: [{ ...one, requests: floods(['grpc']), times: 20 }] });
});

test('gRPC with JSON, and gRPC-Web in each of its forms: 20 such requests', async (t) => {
  const ways = ['grpc+json', 'grpc-web', 'grpc-web+json', 'grpc-web-text'] as const;
  await withstand(t, { attacks: [{ ...one, requests: floods(ways), times: 5 }] });
});

test('Connect streams: 20 such requests, half of them over HTTP/2, half over connections of HTTP/1.1', async (t) => {
  const attack: Attack = { ...one, requests: floods(['connect', 'connect+json']), times: 5 };
  await withstand(t, { attacks: [attack, { ...attack, http: '1.1', connections: 5, times: 1 }] });
});

test('Connect unary calls: 21 requests of 1 KB, each up to 1 MiB that no field takes', async (t) => {
  const lists = Buffer.from(
    `{"x":[${Array(2 ** 18)
      .fill('[]')
      .join(',')}]}`,
  );
  const depth = 2 ** 18;
  const deep = Buffer.from(`{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`);
  const names = Buffer.alloc(2 ** 20, Buffer.of(0x0a, 0x00));
  const path = '/Users/CreateUser';
  const requests = [
    connectUnary(path, lists, { format: 'json', isCompressed: true }),
    connectUnary(path, deep, { format: 'json', isCompressed: true }),
    connectUnary(path, names, { format: 'proto', isCompressed: true }),
  ];
  await withstand(t, { attacks: [{ ...one, requests, times: 7 }] });
});

test('Connect unary calls and gRPC: 250 requests of some 200 bytes that keep to the limits of size', async (t) => {
  const numbers = Buffer.from(`{"x":[${Array(40_000).fill('0').join(',')}]}`);
  const names = Buffer.alloc(200_000, Buffer.of(0x0a, 0x00));
  const requests = [
    connectUnary('/Users/CreateUser', numbers, { format: 'json', isCompressed: true }),
    call('/Users/CreateUser', names, { way: 'grpc', isCompressed: true }),
  ];
  await withstand(t, { attacks: [{ ...one, requests, times: 125 }] });
});

test('10 requests of 1 KB a second, each 1 MiB of users, in three protocols', async (t) => {
  const requests = floods(['grpc', 'connect+json', 'grpc-web']);
  await withstand(t, { attacks: [{ ...one, requests, times: 5, perSecond: 10 }], forMs: 1_500 });
});

test('HPACK: 1,024 calls with 60 KB of metadata, each of some 200 bytes', async (t) => {
  const repeated = { name: 'x-metadata', value: 'v'.repeat(3_900), times: 15 };
  const request: AttackRequest = { ...getUsers(1, { way: 'grpc' }), repeated, isEndless: true };
  await withstand(t, { attacks: [{ ...one, connections: 4, requests: [request], times: 256 }] });
});
