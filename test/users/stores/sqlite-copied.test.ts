// A users file whose log is missing is noticed when it is opened: one that was copied from a running server, or whose
// log was lost. Neither a clean end nor a kill gives a warning, and what a copy of the file alone can have, it has.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createUsersClient } from '../../../client/client.ts';
import { limits } from '../../../functions/limits.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { closeSqliteFile, openSqliteFile } from '../../../functions/users/stores/sqlite-file.ts';
import { ServerProcess } from '../../support/process.ts';
import { listed, unbounded } from './contract-setting.ts';
import { inFolder } from './sqlite-folder.ts';

/** With the log deleted before the mark is taken off, one kill in eight gave a warning. */
const kills = Number(process.env.CRASH_ROUNDS ?? 6);
const ann = { username: 'ann', userId: 1 };
const warning =
  /^the users file .+users\.sqlite was copied while a server ran, or its log .+ was lost: .+ npx users backup FILE$/;

/** Opens and closes; returns the warnings. */
function warningsOf(path: string): string[] {
  const warnings: string[] = [];
  closeSqliteFile(openSqliteFile(path, (line) => warnings.push(line)));
  return warnings;
}

/** Copies the file alone to a folder of its own. */
function copied(path: string, name: string): string {
  const folder = join(path, '..', name);
  mkdirSync(folder, { recursive: true });
  const copy = join(folder, 'users.sqlite');
  copyFileSync(path, copy);
  return copy;
}

/** The names in a copy of the file alone. */
function namesIn(path: string): unknown[] {
  const copy = copied(path, 'looked-at');
  using db = new DatabaseSync(copy);
  return db
    .prepare('SELECT username FROM users ORDER BY user_id')
    .all()
    .map(({ username }) => username);
}

/** What a server has said of its users file. */
function warningsIn(server: ServerProcess): Record<string, unknown>[] {
  const lines = server.printed().split('\n').slice(0, -1);
  return lines
    .map((line): Record<string, unknown> => JSON.parse(line))
    .filter(({ msg }) => /sqlite/.test(String(msg)));
}

/** Signs up again and again, by four callers, until it is ended; tells the number of those who are acknowledged. */
async function load(server: ServerProcess, enough: number, whenEnough: () => Promise<void>): Promise<void> {
  using client = createUsersClient({ endpoint: await server.url(), retry: { maxAttempts: 1 } });
  const isEnough = Promise.withResolvers<void>();
  let signedUp = 0;
  let isEnding = false;
  const callers = [1, 2, 3, 4].map(async (caller) => {
    for (let i = 0; !isEnding; i++) {
      await client
        .createUser({ username: `by-${caller}-${server.child.pid}-${i}` })
        .catch((error: unknown) => {
          if (!isEnding) isEnough.reject(error);
        });
      signedUp += 1;
      if (signedUp === enough) isEnough.resolve();
    }
  });
  try {
    await isEnough.promise;
    const ended = whenEnough();
    isEnding = true;
    await ended;
  } finally {
    isEnding = true;
    await Promise.all(callers);
  }
}

test('cp of a server’s file under load: a start on the copy warns; after a kill or a clean end nothing does', () =>
  inFolder(async (folder, path) => {
    const settingsIn = (USERS_DATA: string) => ({ settings: { USERS_STORE: 'sqlite', USERS_DATA } });
    await using first = new ServerProcess(settingsIn(folder));
    let copy = '';
    await load(first, 50, async () => {
      copy = copied(path, 'copied');
      await first.kill();
    });
    assert.deepEqual(warningsIn(first), []);

    await using onCopy = new ServerProcess(settingsIn(join(copy, '..')));
    await onCopy.url();
    const [said, ...more] = warningsIn(onCopy);
    assert.deepEqual([said?.level, more], [40, []], 'one warning');
    assert.match(String(said?.msg), warning);
    await onCopy.kill();
    await using again = new ServerProcess(settingsIn(join(copy, '..')));
    await again.url();
    assert.deepEqual(warningsIn(again), [], 'it is said once');
    await again.stop();

    await using afterKill = new ServerProcess(settingsIn(folder));
    await load(afterKill, 10, () => afterKill.stop());
    assert.deepEqual(warningsIn(afterKill), []);
    assert.ok(!existsSync(`${path}-wal`));
    assert.deepEqual(
      warningsOf(copied(path, 'complete')),
      [],
      'a copy of a file that nobody has open is complete',
    );
    await using afterEnd = new ServerProcess(settingsIn(folder));
    await afterEnd.url();
    assert.deepEqual(warningsIn(afterEnd), []);
  }));

test('a log that was lost is noticed; and only when the server runs can it be', () =>
  inFolder(async (_, path) => {
    const store = openSqliteStore({ path });
    await store.signUp(ann, unbounded);
    const copy = copied(path, 'copied');
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    assert.deepEqual(warningsOf(copy), [], 'with its log it is complete');
    assert.deepEqual(namesIn(copy), ['ann']);
    const killed = copied(path, 'killed');
    assert.match(warningsOf(killed).join(), warning);
    assert.deepEqual(warningsOf(killed), []);
    await store.close();
    assert.deepEqual(warningsOf(path), []);
  }));

test('files of schema 1 that were closed look as if they had a log, and give no warning', () =>
  inFolder((_, path) => {
    {
      using db = new DatabaseSync(path);
      db.exec('PRAGMA journal_mode = WAL');
      db.exec(readFileSync(new URL('released/schema-1.sql', import.meta.url), 'utf8'));
    }
    assert.ok(!existsSync(`${path}-wal`));
    assert.deepEqual([...readFileSync(path).subarray(18, 20)], [2, 2]);
    assert.deepEqual(warningsOf(path), []);
  }));

test('of several who have the file open the last to close it marks it as complete', () =>
  inFolder(async (_, path) => {
    const mark = () => readFileSync(path).toString('latin1', 68, 72);
    const stores = [1, 2, 3].map(() => openSqliteStore({ path }));
    for (const [i, store] of stores.entries()) {
      assert.equal(mark(), 'User');
      await store.signUp({ username: `u${i}`, userId: i + 1 }, unbounded);
      await store.close();
    }
    assert.equal(mark(), '\0\0\0\0');
    assert.deepEqual(namesIn(path), ['u0', 'u1', 'u2']);
  }));

test('opened, and after a pause, the file has all that is stored, time and again', () =>
  inFolder(async (_, path) => {
    const first = openSqliteStore({ path, limits: { ...limits, sqliteIdleCheckpointMs: 2 ** 31 - 1 } });
    assert.deepEqual(namesIn(path), [], 'the tables are there at once');
    await first.signUp(ann, unbounded);
    assert.deepEqual(namesIn(path), [], 'nothing has been copied');
    await first.close();
    const store = openSqliteStore({ path, limits: { ...limits, sqliteIdleCheckpointMs: 1 } });
    for (const userId of [2, 3, 4]) {
      assert.equal(namesIn(path).length, userId - 1);
      await store.signUp({ username: `u${userId}`, userId }, unbounded);
      while (namesIn(path).length < userId) await delay(1); // for ever, if it is never copied
    }
    assert.deepEqual(await listed(store, {}), ['ann', 'u2', 'u3', 'u4']);
    await store.close();
  }));

test(`${kills} kills while a file is opened, written and closed again and again: no warning`, () =>
  inFolder(async (_, path) => {
    for (let kill = 0; kill < kills; kill++) {
      const args = [
        new URL('sqlite-reopener.ts', import.meta.url).pathname,
        path,
        String(1 + kill * 100_000),
      ];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      await delay(Math.random() * 40); // anywhere in its work
      child.kill('SIGKILL');
      await once(child, 'close');
      assert.deepEqual(warningsOf(path), []);
    }
  }));
