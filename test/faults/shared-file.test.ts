// Two server processes on one SQLite file: of those who sign up one name at both at once exactly one wins, one
// request id gives one user at both, and a server that has to wait for the other says so and loses nothing.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { createUsersClient, type UsersClient } from '../../client/client.ts';
import { ServerProcess } from '../support/process.ts';

const names = Array.from({ length: 150 }, (_, i) => `User-${i}`);

test('two servers share one SQLite file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-shared-'));
  const servers = [0, 1].map(() => new ServerProcess({ settings: { USERS_DATA: folder } }));
  const clients: UsersClient[] = [];
  const atBoth = <T>(call: (client: UsersClient) => Promise<T>) => Promise.allSettled(clients.map(call));
  try {
    for (const endpoint of await Promise.all(servers.map((it) => it.url()))) {
      clients.push(createUsersClient({ endpoint, retry: { maxAttempts: 20 } }));
    }
    await Promise.all(
      names.map(async (username) => {
        const settled = await atBoth((client) => client.createUser({ username }));
        const refused = settled.filter((call) => call.status === 'rejected');
        const codes = refused.map(({ reason }) => ConnectError.from(reason).code);
        assert.deepEqual(codes, [Code.AlreadyExists]);
      }),
    );
    await Promise.all(
      names.map(async (name) => {
        const request = { username: `Again-${name}`, requestId: randomUUID() };
        const [here, there] = await atBoth((client) => client.createUser(request));
        assert.ok(here?.status === 'fulfilled' && there?.status === 'fulfilled');
        assert.deepEqual(here.value.user, there.value.user);
      }),
    );
  } finally {
    for (const client of clients) client.close();
    await Promise.all(servers.map((it) => it.kill()));
    rmSync(folder, { recursive: true });
  }
});
