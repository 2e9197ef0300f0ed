// While another process has the SQLite file, sign-ups wait without holding up anything else: they go through when it
// lets go, in their order, and are refused after a time, and who leaves meanwhile is not signed up.
import assert from 'node:assert/strict';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { limits } from '../../../functions/limits.ts';
import { StoreError, type UserStore } from '../../../functions/users/store.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { byName, one, outcomes, unbounded } from './contract-setting.ts';
import { inFolder } from './sqlite-folder.ts';

const ann = { username: 'ann', userId: 1 };
const bob = { username: 'bob', userId: 2 };

const isBusy = (error: unknown) =>
  error instanceof StoreError && error.retrySafe && /database is locked/.test(error.message);

/** Lends a store with ann in it, whose file another connection has locked. */
function whileLocked(
  busyTimeoutMs: number,
  use: (store: UserStore, unlock: () => void) => Promise<void>,
): Promise<void> {
  return inFolder(async (_, path) => {
    const store = openSqliteStore({ path, limits: { ...limits, sqliteBusyTimeoutMs: busyTimeoutMs } });
    await store.signUp(ann, unbounded);
    using other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    try {
      await use(store, () => other.exec('ROLLBACK'));
    } finally {
      await store.close();
    }
  });
}

/** Lets the store try at least once. */
async function someTurns(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await nextTurn();
}

test('after the time that they may wait they are refused for now, and nothing is changed; reads go on', () =>
  whileLocked(20, async (store, unlock) => {
    await assert.rejects(store.signUp(bob, unbounded), isBusy);
    assert.deepEqual(await one(store, byName('ann')), ann);
    assert.equal(await one(store, byName('bob')), undefined);
    unlock();
    assert.equal((await store.signUp(bob, unbounded)).outcome, 'created');
  }));

test('no time to wait: they are refused at once', () =>
  whileLocked(0, async (store) => assert.rejects(store.signUp(bob, unbounded), isBusy)));

test('they wait while all else goes on, and go through in their order when it lets go', () =>
  whileLocked(60_000, async (store, unlock) => {
    const early = store.signUp(bob, unbounded);
    await someTurns();
    const late = store.signUp({ ...bob, userId: 3 }, unbounded);
    await someTurns();
    // That this is reached says that nothing is held up.
    unlock();
    assert.deepEqual(await early, { outcome: 'created', user: bob });
    assert.deepEqual(await late, { outcome: 'username_taken' });
  }));

test('who leaves while it waits is not signed up', () =>
  whileLocked(60_000, async (store, unlock) => {
    const leaving = new AbortController();
    const left = store.signUp(bob, leaving.signal);
    const stays = store.signUp({ username: 'eve', userId: 3 }, unbounded);
    await someTurns();
    const reason = new Error('the deadline passed');
    leaving.abort(reason);
    unlock();
    await assert.rejects(left, (error) => error === reason);
    assert.equal((await stays).outcome, 'created');
    assert.equal(await one(store, byName('bob')), undefined);
  }));

test('who leaves is let go before the other process lets go', () =>
  whileLocked(60_000, async (store) => {
    const leaving = new AbortController();
    const left = store.signUp(bob, leaving.signal);
    await someTurns();
    leaving.abort();
    await assert.rejects(left, { name: 'AbortError' });
  }));

test('closing waits for those who wait', () =>
  whileLocked(60_000, async (store, unlock) => {
    const calls = [bob, { username: 'eve', userId: 3 }].map((signUp) => store.signUp(signUp, unbounded));
    await someTurns();
    const closed = Promise.all([store.close(), store.close()]);
    await assert.rejects(store.signUp({ username: 'late', userId: 4 }, unbounded), StoreError);
    unlock();
    assert.deepEqual(outcomes(await Promise.all(calls)), { created: 2 });
    await closed;
  }));

test('a read that meets the lock, as one may while another process begins or ends, is tried again', (t) =>
  inFolder(async (_, path) => {
    const open = (sqliteBusyTimeoutMs: number) =>
      openSqliteStore({ path, limits: { ...limits, sqliteBusyTimeoutMs } });
    const store = open(60_000);
    const hasty = open(20);
    await store.signUp(ann, unbounded);
    // SQLite's own: https://sqlite.org/rescode.html#busy_recovery
    const busy = Object.assign(new Error('database is locked'), { errcode: 261 });
    const all = t.mock.method(StatementSync.prototype, 'all');
    for (const call of [0, 1]) {
      all.mock.mockImplementationOnce(() => {
        throw busy;
      }, call);
    }
    assert.deepEqual(await one(store, byName('ann')), ann);
    assert.equal(all.mock.callCount(), 3);
    all.mock.mockImplementation(() => {
      throw busy;
    });
    await assert.rejects(one(hasty, byName('ann')), isBusy);
    all.mock.restore();
    await hasty.close();
    await store.close();
  }));
