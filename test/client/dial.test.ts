// Proves that a client finds its server: by the addresses of a name, the far one too, and says of each what happened.
import assert from 'node:assert/strict';
import dns, { type LookupAddress } from 'node:dns';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Code } from '@connectrpc/connect';
import { createUsersClient } from '../../client/client.ts';
import { parseAddress } from '../../client/connection/address.ts';
import { dial } from '../../client/connection/dial.ts';
import { startServer } from './server.ts';

const tom = { username: 'tom' };

/** Lets every name have these addresses. */
function resolveTo(t: TestContext, addresses: readonly LookupAddress[]): void {
  type Callback = (error: Error | null, found: readonly LookupAddress[]) => void;
  t.mock.method(dns, 'lookup', (_host: string, _options: unknown, callback: Callback) =>
    setImmediate(callback, null, addresses),
  );
}

test('a name with two addresses where nobody listens: both are told of', async (t) => {
  const server = await startServer();
  await server[Symbol.asyncDispose]();
  resolveTo(t, [
    { address: '127.0.0.1', family: 4 },
    { address: '127.0.0.2', family: 4 },
  ]);
  for (const way of [{}, { protocol: 'connect', httpVersion: '1.1' }] as const) {
    using client = createUsersClient({
      ...way,
      endpoint: `http://two.test:${server.port}`,
      retry: { maxAttempts: 1 },
    });
    await assert.rejects(client.createUser(tom), {
      code: Code.Unavailable,
      rawMessage:
        `no connection: connect ECONNREFUSED 127.0.0.1:${server.port}, ` +
        `connect ECONNREFUSED 127.0.0.2:${server.port}`,
      neverSent: true,
    });
  }
});

test('an address that is far away is waited for, though the name has another', async (t) => {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const host = '127.0.0.3';
  const worker = new Worker(new URL('slow-listener.ts', import.meta.url), { workerData: { host, flag } });
  t.after(() => worker.terminate());
  const [{ port }] = await once(worker, 'message');
  // They fill the queue: the kernel drops the next handshake, and takes it when it is repeated, after a second.
  const queue = await Promise.all(
    Array.from({ length: 2 }, async () => {
      const socket = net.connect({ host, port });
      await once(socket, 'connect');
      return socket;
    }),
  );
  t.after(() => {
    for (const it of [socket, ...queue]) it.destroy();
  });
  resolveTo(t, [
    { address: host, family: 4 },
    { address: '127.0.0.4', family: 4 },
  ]);
  const socket = dial(parseAddress(`http://far.test:${port}`), 'h2');
  const timeouts: string[] = [];
  socket.on('connectionAttemptTimeout', (address) => timeouts.push(address));
  await once(socket, 'connectionAttempt');
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  await once(socket, 'connect');
  assert.equal(socket.remoteAddress, host);
  assert.deepEqual(timeouts, []);
});
