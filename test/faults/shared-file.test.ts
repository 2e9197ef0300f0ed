// Two server processes on one SQLite file: of those who sign up one name at both at once exactly one wins, one
// request id gives one user at both, of those who change or remove one user one wins, and a server that has to wait for
// the other says so and loses nothing. A third that comes and goes, and truncates the log as SQLite does, is not taken
// for somebody who damages it.
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
import { named, numbered } from '../users/keys.ts';

const names = Array.from({ length: 150 }, (_, i) => `User-${i}`);

/** Lends clients of two servers on one file. */
async function withServers(
  { settings, maxAttempts }: { settings?: Record<string, string>; maxAttempts: number },
  use: (clients: readonly [UsersClient, UsersClient], path: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'users-shared-'));
  const environment = { USERS_STORE: 'sqlite', USERS_DATA: folder, ...settings };
  const start = () => new ServerProcess({ settings: environment });
  const servers = [start(), start()] as const;
  const clientOf = async (server: ServerProcess) =>
    createUsersClient({ endpoint: await server.url(), retry: { maxAttempts } });
  try {
    using here = await clientOf(servers[0]);
    using there = await clientOf(servers[1]);
    await use([here, there], join(folder, 'users.sqlite'));
  } finally {
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

test('two servers change and remove the same users at once: one wins', () =>
  withServers({ maxAttempts: 20 }, async (clients) => {
    const atBoth = <T>(call: (client: UsersClient, at: number) => Promise<T>) =>
      Promise.allSettled(clients.map(call));
    const only = <T>(settled: readonly PromiseSettledResult<T>[], code: Code): T => {
      const won = settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
      const lost = settled.flatMap((it) =>
        it.status === 'rejected' ? [ConnectError.from(it.reason).code] : [],
      );
      assert.deepEqual(lost, [code]);
      return won[0] ?? assert.fail('nobody has won');
    };
    await Promise.all(
      names.map(async (username) => {
        const { user } = await clients[0].createUser({ username });
        const key = numbered(user?.userId ?? 0);
        const etag = (await clients[1].getAccount({ key })).account?.etag;
        const renamed = only(
          await atBoth((client, at) => client.updateUser({ key, username: `${username}-${at}`, etag })),
          Code.Aborted,
        );
        const other = `Other-${username}`;
        await clients[1].createUser({ username: other });
        only(
          await atBoth((client, at) =>
            client.updateUser({ key: at === 0 ? key : named(other), username: `Wanted-${username}` }),
          ),
          Code.AlreadyExists,
        );
        const account = (await clients[1].getAccount({ key })).account;
        if (account?.user?.username !== `Wanted-${username}`)
          assert.deepEqual(account, renamed.account, 'who has lost is as before');
        const removed = await atBoth((client) => client.deleteUser({ key }));
        const users = removed.map((it) => (it.status === 'fulfilled' ? it.value.user?.userId : it.reason));
        assert.deepEqual(
          users.filter((it) => it !== undefined),
          [user?.userId],
        );
        const again = await atBoth((client) =>
          client.createUser({ username: account?.user?.username ?? '' }),
        );
        const codes = again.map((it) => it.status === 'rejected' && ConnectError.from(it.reason).code);
        assert.deepEqual(codes, [Code.AlreadyExists, Code.AlreadyExists], 'the name is held at both');
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
