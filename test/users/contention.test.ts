// Proves that UpdateUser and DeleteUser without an etag win over others who change the user meanwhile: the last one
// wins, and none is refused where the store can decide; elsewhere they try again, and give up in the end. Whoever has
// the name by then is not changed.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { openSqliteStore } from '../../functions/users/stores/sqlite.ts';
import { named, numbered } from './keys.ts';
import { recordingStore } from './recording-store.ts';
import { limitsWith, serveUsers, storeWith } from './serving.ts';
import { failureOf, outcomeOf, told } from './told.ts';

const tom = { username: 'tom', email: 'tom@example.com', password: 'open sesame' };
const key = named('tom');

describe('UpdateUser without an etag', () => {
  for (const kind of ['memory', 'SQLite'] as const) {
    it(`fifty changes at once are all made, of a user in ${kind}, by id, name and address`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'users-update-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const store =
        kind === 'memory' ? memoryStore() : openSqliteStore({ path: join(folder, 'users.sqlite') });
      t.after(() => store.close());
      const users = await serveUsers(t, { store });
      const { user } = await users.createUser({ username: 'tom', email: 'tom@example.com' });
      const keys = [numbered(user?.userId ?? 0), key];
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const requestId = i % 3 ? '' : randomUUID();
          return outcomeOf(users.updateUser({ key: keys[i % 2], email: `${i}@example.com`, requestId }));
        }),
      );
      assert.deepEqual(new Set(outcomes), new Set(['OK']));
      const { account } = await users.getAccount({ key });
      assert.match(account?.email ?? '', /^\d+@example.com$/);
      const names = ['Tom', 'tOm', 'TOm'].map((username) => users.updateUser({ key, username }));
      const goes = users.deleteUser({ key: numbered(user?.userId ?? 0) });
      await Promise.allSettled(names);
      assert.deepEqual((await goes).user?.userId, user?.userId, 'a removal is not held up either');
    });
  }

  it('changes nobody who has the name by the time that it is decided', async (t) => {
    const { store } = recordingStore();
    let users: Awaited<ReturnType<typeof serveUsers>> | undefined;
    let isFirst = true;
    const renamedMeanwhile = storeWith({
      ...store,
      async change(change, signal) {
        if (isFirst) {
          isFirst = false;
          await users?.updateUser({ key, username: 'ann' });
        }
        return store.change(change, signal);
      },
    });
    users = await serveUsers(t, { store: renamedMeanwhile });
    await users.createUser(tom);
    assert.equal(await outcomeOf(users.updateUser({ key, email: 'new@example.com' })), 'USER_NOT_FOUND');
    assert.equal((await users.getAccount({ key: named('ann') })).account?.email, tom.email);
  });

  it('tries again when others change the user meanwhile, hashes once, and gives up in the end', async (t) => {
    let left = 2;
    const { store, changes } = recordingStore();
    const contended = storeWith({
      ...store,
      async change(change, signal) {
        if (left-- <= 0) return store.change(change, signal);
        changes.push(change);
        return { outcome: 'outdated' };
      },
    });
    const users = await serveUsers(t, { store: contended, limits: limitsWith({ maxUpdateTries: 3 }) });
    await users.createUser(tom);
    assert.equal(await outcomeOf(users.updateUser({ key, password: 'open simsim' })), 'OK');
    assert.equal(new Set(changes.map((it) => it.passwordHash)).size, 1);
    left = 3;
    const failure = told(await failureOf(users.updateUser({ key, email: 'new@example.com' })));
    assert.deepEqual(
      [failure.code, failure.reason, failure.retryAfterMs],
      ['Unavailable', 'USER_CONTENDED', 100],
    );
    assert.equal((await users.getAccount({ key })).account?.email, tom.email);
  });

  it('says that a retry is safe only with a request id, after a store that hangs', async (t) => {
    const store = storeWith({ ...memoryStore(), change: () => new Promise(() => {}) });
    const users = await serveUsers(t, { store, limits: limitsWith({ storeTimeoutMs: 20 }) });
    await users.createUser({ username: 'tom' });
    const request = { key, email: 'new@example.com' };
    assert.equal(told(await failureOf(users.updateUser(request))).retryAfterMs, undefined);
    const withId = { ...request, requestId: randomUUID() };
    assert.equal(told(await failureOf(users.updateUser(withId))).retryAfterMs, 1000);
  });
});
