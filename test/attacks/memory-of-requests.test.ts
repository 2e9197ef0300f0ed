// Proves, with random requests of a few KB, that none makes the server allocate more than a fixed multiple of its size,
// garbage included: gzip, many empty messages, deep ones, JSON and lies about sizes change nothing in that.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { AttackRequest } from './attack.ts';
import { Http2Peer } from './http2-peer.ts';
import { call, connectUnary, getOneMiBOfUsers, getUsers, isJson, maxUsers, type Way } from './requests.ts';
import { bundleOnce, startWatched, type WatchedServer } from './watched-server.ts';

bundleOnce();

/** The largest request here, as it is sent. A smaller one may make as much. */
const maxRequestBytes = 4_096;
/**
 * What each byte of a request of that size may make. It is as much because 61 bytes of gzip are a proper request for
 * 10,000 users, who take up to 14 MiB with the answer that is queued; what was 1 KB for 1 MiB of users took 76 to 229
 * MiB.
 */
const maxMultiple = 5_000;
/** What a message may be before it is compressed: twice the most that the server reads. */
const maxMessageBytes = 2 ** 21;
const runs = 60;
/**
 * An error fits into this window; a long answer stops there until its deadline, so that the rest is not on the bill.
 */
const windowBytes = 4_096;
const timeoutMs = 100;
const patienceMs = 10_000;

test('a random request of up to 4 KB makes no more than 5,000 times that in memory', async (t) => {
  const server = await startWatched(t, { FLUSH_TIMEOUT_MS: '50' });
  await measure(server, getUsers(1, { way: 'grpc', timeoutMs })); // what is made once is not on the bill either
  let mostBytes = 0;
  const property = fc.asyncProperty(requests, async (request) => {
    fc.pre(request.body.length <= maxRequestBytes);
    const bytes = await measure(server, request);
    mostBytes = Math.max(mostBytes, bytes);
    assert.ok(bytes <= maxMultiple * maxRequestBytes, `${request.body.length} bytes made ${bytes}`);
  });
  // Not made smaller where it fails: the server may have ended, and what made it is all there is to know.
  await fc.assert(property, { numRuns: runs, examples, endOnFailure: true });
  t.diagnostic(`most that one request made: ${(mostBytes / 2 ** 20).toFixed(1)} MiB`);
});

/** Sends the request and returns how many bytes the server has allocated when it is over. */
async function measure(server: WatchedServer, request: AttackRequest): Promise<number> {
  const socket = net.connect({ host: '127.0.0.1', port: server.port });
  socket.on('error', () => {}); // 'close' follows
  const peer = new Http2Peer(socket, windowBytes);
  await once(socket, 'connect');
  await server.ask('allocating');
  peer.send(request);
  const giveUpAtMs = performance.now() + patienceMs;
  while (peer.responses + peer.resets === 0 && !socket.closed) {
    assert.ok(
      performance.now() < giveUpAtMs && server.ended === undefined,
      `no answer; ended: ${server.ended}`,
    );
    await delay(1);
  }
  assert.equal(server.ended, undefined);
  const bytes = await server.ask('allocated');
  socket.destroy();
  return bytes;
}

/** A piece of a message, to be repeated: empty users, named ones, other fields, values of JSON, whatever. */
const binaryPiece = fc.oneof(
  fc
    .constantFrom('0a00', '0a021001', '0a030a0161', '0a040a004200', '1200', '0801', '0b0c', '00')
    .map(fromHex),
  fc.uint8Array({ minLength: 1, maxLength: 64 }).map((it) => Buffer.from(it)),
);
const jsonPiece = fc.constantFrom(
  '{}',
  '[]',
  '0',
  '""',
  'null',
  '{"username":""}',
  '[{}]',
  '{"a":{}}',
  '[[[]]]',
);
const times = fc.integer({ min: 0, max: 20 }).chain((power) => fc.integer({ min: 0, max: 2 ** power }));

const binary = fc.record({ piece: binaryPiece, times }).map((it) => repeated(it.piece, it.times));
const jsonList = fc
  .record({ field: fc.constantFrom('user', 'x', 'username'), piece: jsonPiece, times })
  .map(({ field, piece, times: count }) => {
    const list = repeated(Buffer.from(`,${piece}`), count).subarray(1);
    return Buffer.concat([Buffer.from(`{"${field}":[`), list, Buffer.from(']}')]);
  });
const jsonDepth = fc
  .record({ opening: fc.constantFrom('[', '{"user":', '{"x":['), times })
  .map(({ opening, times: count }) => repeated(Buffer.from(opening), count));
const json = fc.oneof(
  jsonList,
  jsonDepth,
  fc.json().map((it) => Buffer.from(it)),
);

/** What is not compressed is soon too large to be sent here. */
const mostly = fc.constantFrom(true, true, true, false);
const allWays: readonly Way[] = ['grpc', 'grpc+json', 'grpc-web', 'grpc-web+json', 'connect', 'connect+json'];
/** The worst that was seen, and the most that is proper. */
const examples = allWays.flatMap((way): [AttackRequest][] => {
  const sending = { way, isCompressed: true, timeoutMs };
  return [[getOneMiBOfUsers(sending)], [getUsers(maxUsers, sending)]];
});
const paths = fc.constantFrom(
  '/Users/GetUsers',
  '/Users/GetUsers',
  '/Users/CreateUser',
  '/grpc.health.v1.Health/Check',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
);
const ways = fc.constantFrom(...allWays);
const framed = fc
  .record({
    way: ways,
    path: paths,
    isCompressed: mostly,
    binary,
    json,
    frames: fc.constantFrom(1, 1, 1, 50, 800),
  })
  .map(({ way, path, isCompressed, frames, ...messages }) => {
    const message = isJson(way) ? messages.json : messages.binary;
    const request = call(path, message, { way, isCompressed, timeoutMs });
    return { ...request, body: repeated(request.body, frames, maxRequestBytes) };
  });
const unary = fc
  .record({ isCompressed: mostly, format: fc.constantFrom('json', 'proto'), binary, json })
  .map(({ isCompressed, format, ...messages }) => {
    const message = format === 'json' ? messages.json : messages.binary;
    return connectUnary('/Users/CreateUser', message, { format, isCompressed, timeoutMs });
  });
/** The last four bytes of gzip say how long its content is, which may be a lie. */
const lie = fc.option(fc.constantFrom(0, 1, 1_000, 2 ** 18, 2 ** 32 - 1));
const requests = fc.record({ request: fc.oneof(framed, unary), lie }).map(({ request, lie: size }) => {
  if (size === null || request.body.length < 4) return request;
  const body = Buffer.from(request.body);
  body.writeUInt32LE(size, body.length - 4);
  return { ...request, body };
});

/** As often as asked for, but no longer than a message is. */
function repeated(piece: Uint8Array, count: number, maxBytes = maxMessageBytes): Buffer {
  const length = Math.min(
    piece.length * count,
    Math.floor(maxBytes / Math.max(1, piece.length)) * piece.length,
  );
  return Buffer.alloc(length, piece);
}

function fromHex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
