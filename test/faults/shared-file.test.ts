// Two server processes on one SQLite file: of those who sign up one name at both at once exactly one wins, one
// request id gives one user at both, and a server that has to wait for the other says so and loses nothing. A third
// that comes and goes, and truncates the log as SQLite does, is not taken for somebody who damages it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { createUsersClient, type UsersClient } from '../../client/client.ts';
import { limits } from '../../functions/limits.ts';
import { openSqliteStore } from '../../functions/users/stores/sqlite.ts';
import { ServerProcess } from '../support/process.ts';

const names = Array.from({ length: 150 }, (_, i) => `User-${i}`);

/** Lends clients of two servers on one file. */
async function withServers(
  { settings, maxAttempts }: { settings?: Record<string, string>; maxAttempts: number },
  use: (clients: readonly UsersClient[], path: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'users-shared-'));
  const environment = { USERS_STORE: 'sqlite', USERS_DATA: folder, ...settings };
  const servers = [0, 1].map(() => new ServerProcess({ settings: environment }));
  const clients: UsersClient[] = [];
  try {
    for (const endpoint of await Promise.all(servers.map((it) => it.url()))) {
      clients.push(createUsersClient({ endpoint, retry: { maxAttempts } }));
    }
    await use(clients, join(folder, 'users.sqlite'));
  } finally {
    for (const client of clients) client.close();
    await Promise.all(servers.map((it) => it.kill()));
    rmSync(folder, { recursive: true });
  }
}

test('two servers share one SQLite file', () =>
  withServers({ maxAttempts: 20 }, async (clients) => {
    const atBoth = <T>(call: (client: UsersClient) => Promise<T>) => Promise.allSettled(clients.map(call));
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
  }));

test('a third that comes, truncates the log and goes, time and again, stops no sign-up at the two servers', () =>
  withServers(
    {
      // Nothing is tried again, so that a false alarm shows; therefore each may wait its turn for long.
      settings: { SQLITE_BUSY_TIMEOUT_MS: '60000', STORE_TIMEOUT_MS: '60000', DEFAULT_DEADLINE_MS: '60000' },
      maxAttempts: 1,
    },
    async (clients, path) => {
      let signingUp = true;
      const signUps = clients.flatMap((client, at) =>
        [0, 1, 2, 3].map(async (caller) => {
          for (let i = 0; i < 60; i++) await client.createUser({ username: `at${at}-${caller}-${i}` });
        }),
      );
      const all = Promise.all(signUps).finally(() => {
        signingUp = false;
      });
      let truncated = 0;
      for (let userId = 1; signingUp; userId++) {
        const third = openSqliteStore({ path, limits: { ...limits, sqliteBusyTimeoutMs: 60_000 } });
        await third.signUp({ username: `third-${userId}`, userId }, AbortSignal.timeout(60_000));
        await third.close();
        using other = new DatabaseSync(path, { timeout: 1000 });
        if (other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0) truncated += 1;
        await nextTurn();
      }
      await all;
      assert.ok(truncated > 0);
    },
  ));
