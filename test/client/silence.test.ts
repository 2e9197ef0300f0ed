// Proves that a client gets out of a black hole, a connection on which nothing comes and nobody says so: after the
// first call that passes its deadline, by PING where there is no deadline, while idle too if it is asked to; and that
// it throws no healthy connection away: not for early aborts, and not because a load balancer answers no PING.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import { createUsersClient, type UsersClientOptions } from '../../client/client.ts';
import { startRelay } from './relay.ts';
import { answer, startRawServer, startServer } from './server.ts';

const tom = { username: 'tom' };
const once1 = { maxAttempts: 1 };
/** What a test takes at most that would else wait for ever. */
const timeout = 20_000;
const connect = (endpoint: string, options: UsersClientOptions = {}) =>
  createUsersClient({ endpoint, ...options });

test('the call after the first DEADLINE_EXCEEDED, made at once, does not go into the same hole', async () => {
  await using server = await startServer();
  await using relay = await startRelay(server.port);
  using client = connect(relay.endpoint);
  await client.createUser(tom);
  relay.stall();
  await assert.rejects(client.createUser(tom, { timeoutMs: 300 }), { code: Code.DeadlineExceeded });
  await client.createUser(tom, { timeoutMs: 10_000 });
  assert.equal(relay.clients.length, 2);
});

test('nor does it if the connection was a hole from the beginning', async () => {
  await using server = await startServer();
  const sockets: Socket[] = [];
  // The first connection is accepted, and that is all.
  const relay = net.createServer((client) => {
    sockets.push(client);
    client.on('error', () => {});
    if (sockets.length > 1) client.pipe(net.connect({ host: '127.0.0.1', port: server.port })).pipe(client);
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  // A server on a port, not on a pipe, has an address with a port.
  const { port } = relay.address() as AddressInfo;
  const client = connect(`http://127.0.0.1:${port}`);
  await assert.rejects(client.createUser(tom, { timeoutMs: 300 }), { code: Code.DeadlineExceeded });
  await client.createUser(tom, { timeoutMs: 10_000 });
  client.close();
  relay.close();
});

test('a server that says nothing at all is no server: the call ends, also without a deadline', {
  timeout,
}, async () => {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server on a port, not on a pipe, has an address with a port.
  const { port } = server.address() as AddressInfo;
  const client = connect(`http://127.0.0.1:${port}`, { connectTimeoutMs: 100, retry: once1 });
  await assert.rejects(client.createUser(tom, { timeoutMs: 0 }), {
    code: Code.Unavailable,
    rawMessage: 'not connected after 100 ms',
  });
  server.close();
});

test('a call without a deadline ends when a PING is not answered', { timeout }, async () => {
  const begun = Promise.withResolvers<void>();
  await using server = await startRawServer((stream, _, call) => {
    if (call === 1) answer(stream);
    else begun.resolve();
  });
  await using relay = await startRelay(server.port);
  using client = connect(relay.endpoint, { keepalive: { timeMs: 30, timeoutMs: 200 }, retry: once1 });
  await client.createUser(tom);
  const call = client.createUser(tom, { timeoutMs: 0 });
  await begun.promise;
  relay.stall();
  await assert.rejects(call, {
    code: Code.Unavailable,
    rawMessage: 'the server did not answer a PING within 200 ms',
  });
});

test('a quiet call goes on while PINGs are answered', { timeout }, async () => {
  let pings = 0;
  const enough = Promise.withResolvers<void>();
  await using server = await startRawServer((stream) => {
    stream.session?.on('ping', () => {
      if (++pings === 4) enough.resolve();
    });
    enough.promise.then(() => answer(stream));
  });
  using client = connect(server.endpoint, { keepalive: { timeMs: 20, timeoutMs: 10_000 }, retry: once1 });
  await client.createUser(tom, { timeoutMs: 0 });
  assert.equal(server.sessions.length, 1);
});

test('silence is no end where PINGs are never answered, as by a load balancer of AWS', async () => {
  await using server = await startRawServer(async (stream) => {
    // Time for many PINGs and their answers.
    await sleep(500);
    answer(stream);
  });
  await using relay = await startRelay(server.port, { dropPings: true });
  using client = connect(relay.endpoint, { keepalive: { timeMs: 10, timeoutMs: 10 }, retry: once1 });
  await client.createUser(tom, { timeoutMs: 0 });
});

test('an idle connection is watched if that is asked for: the next call does not find a hole', {
  timeout,
}, async () => {
  await using server = await startServer();
  await using relay = await startRelay(server.port);
  using client = connect(relay.endpoint, { keepalive: { timeMs: 20, timeoutMs: 50, whileIdle: true } });
  await client.createUser(tom);
  relay.stall();
  const [socket] = relay.clients;
  assert.ok(socket);
  await once(socket, 'close');
  await client.createUser(tom);
  assert.equal(relay.clients.length, 2);
});

test('an idle connection is not asked if that is not asked for, and one at all only if it may be', async () => {
  const pings: number[] = [0, 0];
  for (const [index, keepalive] of [{ timeMs: 10 }, { timeMs: 0 }].entries()) {
    await using server = await startRawServer((stream) => {
      stream.session?.on('ping', () => pings.splice(index, 1, (pings[index] ?? 0) + 1));
      answer(stream);
    });
    using client = connect(server.endpoint, { keepalive });
    await client.createUser(tom);
    await sleep(200);
  }
  assert.deepEqual(pings, [0, 0], 'the one PING with which the connection opens comes before its first call');
});

test('a server that is asked too often is asked half as often on the next connection', {
  timeout,
}, async () => {
  const timesMs: number[][] = [];
  await using server = await startRawServer((stream) => {
    const times: number[] = [];
    timesMs.push(times);
    stream.session?.on('ping', () => {
      times.push(performance.now());
      if (times.length < 2) return;
      // As gRPC servers do.
      if (timesMs.length < 3) stream.session?.goaway(11, 0, Buffer.from('too_many_pings'));
      else answer(stream);
    });
  });
  using client = connect(server.endpoint, { keepalive: { timeMs: 30, timeoutMs: 10_000 } });
  await client.createUser(tom, { timeoutMs: 0 });
  const [first = 0, second = 0] = timesMs[2] ?? [];
  assert.equal(timesMs.length, 3);
  assert.ok(second - first >= 100, `${second - first} ms`);
});

test('calls that are aborted early leave the connection to those that come', async () => {
  let begun = Promise.withResolvers<void>();
  await using server = await startRawServer((stream, _, call) => {
    if (call > 20) answer(stream);
    begun.resolve();
  });
  using client = connect(server.endpoint);
  for (let call = 1; call <= 20; call++) {
    begun = Promise.withResolvers();
    const controller = new AbortController();
    const aborted = assert.rejects(client.createUser(tom, { signal: controller.signal }), {
      code: Code.Canceled,
    });
    await begun.promise;
    controller.abort();
    await aborted;
  }
  await client.createUser(tom);
  // One, unless the machine stands still for a second.
  assert.ok(server.sessions.length < 4, `${server.sessions.length} connections`);
});

test('a call that is aborted after a long silence leaves no hole to the next', async () => {
  await using server = await startServer();
  await using relay = await startRelay(server.port);
  using client = connect(relay.endpoint);
  await client.createUser(tom);
  relay.stall();
  await assert.rejects(client.createUser(tom, { signal: AbortSignal.timeout(1_200) }), {
    code: Code.Canceled,
  });
  await client.createUser(tom, { timeoutMs: 10_000 });
  assert.equal(relay.clients.length, 2);
});
