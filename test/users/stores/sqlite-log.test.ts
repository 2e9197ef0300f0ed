// The log beside the SQLite file (`-wal`): removed, replaced or cut short by somebody, the store takes nobody in, since
// that would be lost; what SQLite does to it by itself, in whatever process, never stands in the way of a sign-up.
import assert from 'node:assert/strict';
import { copyFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { StoreError, type UserStore } from '../../../functions/users/store.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { byName, one, unbounded } from './contract-setting.ts';
import { inFolder } from './sqlite-folder.ts';

const ann = { username: 'ann', userId: 1 };
const bob = { username: 'bob', userId: 2, request: { id: 'r', fingerprint: 'f', expiresAtMs: 2 ** 48 } };

function replace(log: string): void {
  copyFileSync(log, `${log}-copy`);
  renameSync(`${log}-copy`, log);
}

async function assertTakesNobody(store: UserStore, pattern: RegExp): Promise<void> {
  await assert.rejects(store.signUp(bob, unbounded), (error) => {
    assert.ok(error instanceof StoreError && !error.retrySafe);
    assert.match(error.message, pattern);
    return true;
  });
}

for (const [event, happen] of [
  ['removed', rmSync],
  ['replaced', replace],
] as const) {
  test(`SQLite log ${event}: nobody is taken in, and closing saves what it held`, () =>
    inFolder(async (_, path) => {
      const store = openSqliteStore({ path });
      await store.signUp(ann, unbounded);
      happen(`${path}-wal`);
      await assertTakesNobody(store, /^the log .*users\.sqlite-wal was removed or replaced: .*$/);
      await store.close();
      const reopened = openSqliteStore({ path });
      assert.deepEqual(await one(reopened, byName('ann')), ann);
      assert.equal((await reopened.signUp(bob, unbounded)).outcome, 'created');
      await reopened.close();
    }));
}

for (const [event, left] of [
  ['emptied', () => 0],
  ['shortened by a byte', (bytes: number) => bytes - 1],
] as const) {
  test(`SQLite log ${event}: nobody is taken in`, () =>
    inFolder(async (_, path) => {
      const store = openSqliteStore({ path });
      await store.signUp(ann, unbounded);
      truncateSync(`${path}-wal`, left(statSync(`${path}-wal`).size));
      await assertTakesNobody(store, /^the log .*users\.sqlite-wal was cut short: .*$/);
      await store.close();
    }));
}

for (const mode of ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']) {
  test(`SQLite log after ${mode} by another connection: sign-ups go on`, () =>
    inFolder(async (_, path) => {
      const store = openSqliteStore({ path });
      for (let userId = 1; userId <= 20; userId++) {
        assert.equal((await store.signUp({ username: `u${userId}`, userId }, unbounded)).outcome, 'created');
        using other = new DatabaseSync(path);
        const { busy } = other.prepare(`PRAGMA wal_checkpoint(${mode})`).get() ?? {};
        assert.equal(busy, 0);
        if (mode === 'TRUNCATE') assert.equal(statSync(`${path}-wal`).size, 0);
      }
      await store.close();
    }));
}
