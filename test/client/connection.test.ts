// Proves that connections may end in every way that load balancers and deployments end them, and calls don't notice:
// GOAWAY when idle (connect-es issue 1768) and under load, sockets closed or reset, silence; and that connections are
// few, end when idle, and never keep the process alive.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerHttp2Session } from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Code } from '@connectrpc/connect';
import { createUsersClient, type UsersClientOptions } from '../../client/client.ts';
import { answer, startRawServer, startServer } from './server.ts';

const retry = { initialBackoffMs: 1, maxBackoffMs: 20, maxAttempts: 8 };
const connect = (endpoint: string, options: UsersClientOptions = {}) =>
  createUsersClient({ endpoint, retry, ...options });
const tom = { username: 'tom' };

async function runPeer(kind: 'stock' | 'ours' | 'leave', endpoint: string, calls: number) {
  const peer = fileURLToPath(new URL('peer.ts', import.meta.url));
  const child = spawn(process.execPath, [peer, kind, endpoint, String(calls)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  });
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { stdout, stderr, exitCode };
}

/** Every answer is followed by GOAWAY, as an idle load balancer or one after its last request sends it. */
function startGoawayServer() {
  return startRawServer((stream) => {
    const session = stream.session;
    stream.on('close', () => session?.goaway(0));
    answer(stream);
  });
}

test('GOAWAY on an idle connection: the process goes on, and so do the calls', async () => {
  await using server = await startGoawayServer();
  const { stdout, stderr, exitCode } = await runPeer('ours', server.endpoint, 100);
  assert.equal(stdout, '100 calls\n', stderr);
  assert.equal(exitCode, 0);
});

test('the same calls end the process with the stock transport: our connection.ts is still needed', async () => {
  await using server = await startGoawayServer();
  const { stderr, exitCode } = await runPeer('stock', server.endpoint, 100);
  assert.match(stderr, /received GOAWAY without any open streams/);
  assert.equal(exitCode, 1);
});

const endings: Record<string, (session: ServerHttp2Session) => void> = {
  'GOAWAY, then finishing its calls': (session) => session.close(),
  'GOAWAY, then closing at once': (session) => session.destroy(),
  'GOAWAY with an error': (session) => session.goaway(2),
  'GOAWAY that refuses what it has not seen': (session) => session.goaway(0, 1),
  'closing the socket': (session) => session.socket.destroy(),
};

for (const [how, end] of Object.entries(endings)) {
  test(`under load, the server ends connections by ${how}: no call fails`, async () => {
    await using server = await startRawServer((stream, _, call) => {
      // Answers come in a later turn, so that there are always calls in flight.
      setImmediate(() => {
        if (call % 50 === 0 && call <= 250)
          server.sessions.filter((session) => !session.destroyed).forEach(end);
        if (!stream.destroyed) answer(stream);
      });
    });
    using client = connect(server.endpoint);
    const users = Array.from({ length: 40 }, async () => {
      for (let call = 0; call < 10; call++) await client.createUser(tom);
    });
    await Promise.all(users);
    assert.ok(server.sessions.length > 4, `${server.sessions.length} connections were used`);
  });
}

test('after GOAWAY a stream goes on to its end, while new calls take another connection', async () => {
  const { promise: rest, resolve: finish } = Promise.withResolvers<void>();
  await using server = await startServer({
    async *getUsers({ user }) {
      for (const value of user) {
        yield { result: { case: 'user', value } };
        await rest;
      }
    },
  });
  using client = connect(server.endpoint, { retry: { maxAttempts: 1 } });
  let received = 0;
  for await (const _ of client.getUsers({ user: [tom, tom, tom] })) {
    if (received++ > 0) continue;
    const [session] = server.sessions;
    assert.ok(session);
    session.goaway(0);
    // Once the client has answered this, it has read the GOAWAY before it.
    await new Promise((resolve) => session.ping(resolve));
    await client.createUser(tom);
    await client.createUser(tom);
    assert.equal(server.sessions.length, 2);
    finish();
  }
  assert.equal(received, 3);
});

for (const answered of [false, true]) {
  test(`a connection reset after GOAWAY fails its calls${answered ? ', also with half an answer' : ''}`, async () => {
    await using server = await startRawServer((stream) => {
      // Of a Connect answer nothing but its end tells that it is whole: the bytes so far are a valid message.
      if (answered) stream.respond({ ':status': 200, 'content-type': 'application/proto' });
      if (answered) stream.write(Buffer.from([10, 0]));
      // Node takes a reset after GOAWAY for a normal end, and closes the streams without an error.
      stream.session?.goaway(0);
      stream.session?.ping(() => server.sockets[0]?.resetAndDestroy());
    });
    using client = connect(server.endpoint, {
      protocol: 'connect',
      retry: { maxAttempts: 1 },
      deadlineMs: 0,
    });
    await assert.rejects(client.createUser(tom), { code: Code.Unavailable });
  });
}

test('a stream that ends without an answer fails with UNAVAILABLE', async () => {
  await using server = await startRawServer((stream) => stream.close(0));
  using client = connect(server.endpoint, { retry: { maxAttempts: 1 }, deadlineMs: 0 });
  await assert.rejects(client.createUser(tom), {
    code: Code.Unavailable,
    rawMessage: 'the stream ended without an answer',
  });
});

test('a stream that breaks after its first message fails with UNAVAILABLE and is not repeated', async () => {
  let attempts = 0;
  await using server = await startServer({
    async *getUsers({ user }) {
      attempts++;
      for (const value of user) {
        yield { result: { case: 'user', value } };
        await broken;
      }
    },
  });
  const { promise: broken, resolve } = Promise.withResolvers<void>();
  using client = connect(server.endpoint);
  let received = 0;
  await assert.rejects(
    async () => {
      for await (const _ of client.getUsers({ user: [tom, tom] })) {
        received++;
        server.sockets[0]?.resetAndDestroy();
      }
    },
    { code: Code.Unavailable },
  );
  resolve();
  assert.deepEqual([received, attempts], [1, 1]);
});

test('calls share one connection, also the first ones', async () => {
  await using server = await startServer();
  using client = connect(server.endpoint);
  await Promise.all(Array.from({ length: 50 }, () => client.createUser(tom)));
  await client.createUser(tom);
  assert.equal(server.sessions.length, 1);
});

test('a connection without a call is closed before the load balancer would close it', async () => {
  await using server = await startServer();
  using client = connect(server.endpoint, { idleTimeoutMs: 30 });
  await client.createUser(tom);
  const [session] = server.sessions;
  assert.ok(session);
  await once(session, 'close');
  await client.createUser(tom);
  assert.equal(server.sessions.length, 2);
});

test('a server that is silent for a whole call gets no second one on the same connection', async () => {
  await using server = await startRawServer((stream, _, call) => {
    if (call !== 2) answer(stream);
  });
  using client = connect(server.endpoint);
  await client.createUser(tom);
  await assert.rejects(client.createUser(tom, { timeoutMs: 50 }), { code: Code.DeadlineExceeded });
  // The stream is closed in the next turn.
  await new Promise(setImmediate);
  await client.createUser(tom);
  assert.equal(server.sessions.length, 2);
});

test('a connection that is done with is gone, also if the server never closes its side', {
  timeout: 10_000,
}, async () => {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, resolve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server on a port, not on a pipe, has an address with a port.
  const { port } = server.address() as AddressInfo;
  using client = connect(`http://127.0.0.1:${port}`);
  await assert.rejects(client.createUser(tom, { timeoutMs: 50 }), { code: Code.DeadlineExceeded });
  const socket = await accepted;
  await once(socket.resume(), 'end');
  // Whoever is gone answers this with a reset, which the next write finds.
  const knock = setInterval(() => socket.write('still there?'), 5);
  await once(socket, 'error').finally(() => clearInterval(knock));
  server.close();
});

test('an answer may come in one round trip: windows of 1 MiB a call and 4 MiB a connection', async () => {
  const windows: (number | undefined)[] = [];
  await using server = await startRawServer((stream) => {
    windows.push(stream.session?.remoteSettings.initialWindowSize, stream.session?.state.remoteWindowSize);
    answer(stream);
  });
  using client = connect(server.endpoint);
  await client.createUser(tom);
  assert.deepEqual(windows, [1024 * 1024, 4 * 1024 * 1024]);
});

test('close() ends the calls with CANCELLED and the connection at once; later calls fail', async () => {
  const { promise: called, resolve } = Promise.withResolvers<void>();
  await using server = await startServer({
    createUser(_, { signal }) {
      resolve();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  const client = connect(server.endpoint);
  const running = assert.rejects(client.createUser(tom), {
    code: Code.Canceled,
    rawMessage: 'the client is closed',
  });
  await called;
  client.close();
  await running;
  await assert.rejects(client.createUser(tom), { code: Code.Canceled, rawMessage: 'the client is closed' });
});

test('an open but idle connection does not keep the process alive', async () => {
  await using server = await startRawServer((stream) => answer(stream));
  // The peer never closes its client; this test ends when the process has.
  const { stdout, exitCode } = await runPeer('ours', server.endpoint, 1);
  assert.equal(stdout, '1 calls\n');
  assert.equal(exitCode, 0);
});

test('a stream that was left does not keep the process alive until its deadline', async () => {
  await using server = await startServer({
    async *getUsers({ user: [value] }, { signal }) {
      yield value ? { result: { case: 'user', value } } : {};
      if (!signal.aborted) await once(signal, 'abort');
    },
  });
  const { stdout, exitCode } = await runPeer('leave', server.endpoint, 0);
  assert.equal(stdout, '0 calls\n');
  assert.equal(exitCode, 0, 'the process ended by itself');
});
