// Proves, with real processes under load of every protocol, that SIGTERM ends one with exit code 0 while no call fails
// for clients that reconnect, and that one whose store does not answer yet ends too.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { createUsersClient, type UsersClient } from '../../client/client.ts';
import { runMain } from '../support/process.ts';
import { ways } from '../support/transports.ts';

it('no call fails when a process is replaced under load', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'users-'));
  t.after(() => rm(folder, { recursive: true }));
  const settings = { USERS_STORE: 'sqlite', USERS_DATA: folder, GOAWAY_TIMEOUT_MS: '200' };
  const first = runMain(t, settings);
  const { port } = await first.line('listening');
  const endpoint = `http://127.0.0.1:${port}`;

  const failures: string[] = [];
  let calls = 0;
  let isOver = false;
  async function load(client: UsersClient, name: string) {
    for (let i = 0; !isOver; i++) {
      try {
        const username = `${name}-${i}`;
        await client.createUser({ username });
        for await (const { result } of client.getUsers({ user: [{ username }] })) {
          assert.equal(result.case, 'user');
        }
        calls += 2;
      } catch (error) {
        failures.push(`${name}-${i}: ${error}`);
      }
    }
  }
  const clients = ways.flatMap((it) => {
    const client = createUsersClient({ endpoint, ...it, retry: { maxAttempts: 50, maxBackoffMs: 200 } });
    const name = `${it.protocol}-${it.httpVersion}`;
    return [load(client, `${name}-a`), load(client, `${name}-b`)].map((done) => ({ client, done }));
  });

  const reach = async (count: number) => {
    while (calls < count && failures.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await reach(200);
  first.child.kill('SIGTERM');
  assert.deepEqual(await first.ended, { code: 0, signal: null });
  const second = runMain(t, { ...settings, PORT: String(port) });
  await second.line('listening');
  await reach(calls + 200);
  isOver = true;
  await Promise.all(clients.map(({ done }) => done));
  for (const { client } of clients) client.close();
  assert.deepEqual(failures, []);
  second.child.kill('SIGINT');
  assert.deepEqual(await second.ended, { code: 0, signal: null });
});

it('SIGTERM ends it while it waits for its store', async (t) => {
  // A table that does not answer: the start waits for it.
  const table = net.createServer().listen(0, '127.0.0.1');
  t.after(() => table.close());
  await once(table, 'listening');
  const { port } = table.address() as net.AddressInfo; // of a listening TCP server
  const main = runMain(t, {
    USERS_STORE: 'dynamodb',
    USERS_TABLE: 'users',
    DYNAMODB_ENDPOINT: `http://127.0.0.1:${port}`,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
  const [socket] = await once(table, 'connection');
  socket.on('error', () => {});
  main.child.kill('SIGTERM');
  assert.deepEqual(await main.ended, { code: 0, signal: null });
});
