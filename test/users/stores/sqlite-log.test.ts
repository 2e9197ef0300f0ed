// The log beside the SQLite file (`-wal`): removed, replaced or cut short by somebody, the store takes nobody in, since
// that would be lost, also where the file is a symbolic link; it is emptied in the pauses, at the latest when whoever
// reads it has ended; what SQLite does to it by itself, in whatever process, never stands in the way of a sign-up.
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '../../../functions/limits.ts';
import { firstEtag, StoreError, type UserStore } from '../../../functions/users/store.ts';
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

test('SQLite file by a symbolic link: the log beside the real file is watched, and tells that the file is in use', () =>
  inFolder(async (folder, path) => {
    const real = join(folder, 'real', 'u.sqlite');
    mkdirSync(join(folder, 'real'));
    symlinkSync(real, path);
    const warnings: string[] = [];
    const open = () => openSqliteStore({ path, warn: (line) => warnings.push(line) });
    const store = open();
    await store.signUp(ann, unbounded);
    assert.ok(existsSync(`${real}-wal`));
    const other = open();
    await other.close();
    assert.deepEqual(warnings, [], 'its log is there');
    rmSync(`${real}-wal`);
    await assertTakesNobody(store, /^the log .*u\.sqlite-wal was removed or replaced: .*$/);
    await store.close();
    const reopened = open();
    assert.deepEqual(await one(reopened, byName('ann')), ann);
    const elsewhere = join(folder, 'elsewhere.sqlite');
    copyFileSync(real, elsewhere);
    rmSync(path);
    symlinkSync(elsewhere, path);
    await assertTakesNobody(reopened, /^the users file .* was removed or replaced: .*$/);
    await reopened.close();
  }));

test('SQLite log that somebody reads when it is to be copied is emptied once the reader has ended', () =>
  inFolder(async (_, path) => {
    const idle = { ...limits, sqliteIdleCheckpointMs: 1 };
    const store = openSqliteStore({ path, limits: idle });
    using reader = new DatabaseSync(path);
    await store.signUp({ ...ann, email: 'ann@trace.example' }, unbounded);
    reader.exec('BEGIN');
    assert.equal(reader.prepare('SELECT count(*) AS n FROM users').get()?.n, 1);
    const removal = { from: { ...ann, email: 'ann@trace.example', etag: firstEtag }, heldUntilMs: 0 };
    assert.equal(await store.remove(removal, unbounded), true);
    // The first try comes after 1 ms, and finds the reader.
    await delay(20);
    assert.ok(statSync(`${path}-wal`).size > 0);
    reader.exec('COMMIT');
    while (statSync(`${path}-wal`).size > 0) await delay(1); // for ever, if it is not tried again
    assert.doesNotMatch(readFileSync(path, 'latin1'), /trace/);
    await store.close();
  }));

test('SQLite log that a server left when it was killed is emptied after the next start, without a write', () =>
  inFolder(async (_, path) => {
    const first = openSqliteStore({ path, limits: { ...limits, sqliteIdleCheckpointMs: 2 ** 31 - 1 } });
    await first.signUp(ann, unbounded);
    using reader = new DatabaseSync(path);
    reader.exec('BEGIN');
    assert.equal(reader.prepare('SELECT count(*) AS n FROM users').get()?.n, 1);
    await first.signUp({ username: 'eve', userId: 3 }, unbounded);
    const second = openSqliteStore({ path, limits: { ...limits, sqliteIdleCheckpointMs: 1 } });
    assert.ok(statSync(`${path}-wal`).size > 0);
    reader.exec('COMMIT');
    while (statSync(`${path}-wal`).size > 0) await delay(1);
    await second.close();
    await first.close();
  }));

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
