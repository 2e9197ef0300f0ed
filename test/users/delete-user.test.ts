// Proves that DeleteUser removes all of a user, once; that a repeat is OK; that name and address stay taken for as long
// as the setting says and not longer; and that an etag, and others who change the user meanwhile, are respected.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import type { UserKeySchema } from '../../proto/gen/users_types_pb.js';
import { all } from '../support/outcome.ts';
import { addressed, named, numbered } from './keys.ts';
import { limitsWith, serveUsers, storeWith } from './serving.ts';
import { failureOf, outcomeOf, told, violationsOf } from './told.ts';

const tom = { username: 'Tom', email: 'tom@example.com', password: 'open sesame' };

describe('DeleteUser', () => {
  const keys: [string, (id: number) => MessageInitShape<typeof UserKeySchema>][] = [
    ['name', () => named('tOM')],
    ['address', () => addressed('TOM@example.com')],
    ['id', numbered],
  ];
  for (const [kind, keyOf] of keys) {
    it(`removes all of a user, by ${kind}, and says whom; a repeat finds nobody and is OK`, async (t) => {
      const store = memoryStore();
      const users = await serveUsers(t, { store });
      const { user } = await users.createUser(tom);
      assert.ok(user);
      const key = keyOf(user.userId);
      assert.deepEqual((await users.deleteUser({ key })).user, user);
      assert.equal((await users.deleteUser({ key })).user, undefined);
      const [found] = await all(users.getUsers({ user: [{ userId: user.userId }] }));
      assert.equal(found?.result.case, 'missing');
      assert.equal(await outcomeOf(users.checkPassword({ key, password: tom.password })), 'WRONG_PASSWORD');
      assert.equal(await outcomeOf(users.getAccount({ key })), 'USER_NOT_FOUND');
      assert.deepEqual((await users.listUsers({})).user, []);
      assert.deepEqual(await all(store.all(AbortSignal.timeout(1000))), []);
    });
  }

  it('finds nobody by a name that nobody can have', async (t) => {
    const users = await serveUsers(t);
    assert.equal((await users.deleteUser({ key: named('no body') })).user, undefined);
  });

  it('keeps name and address taken for a while, and then no longer', async (t) => {
    let nowMs = 1_000_000;
    const now = () => nowMs;
    const limits = limitsWith({ deletedNameHoldMs: 5_000 });
    const users = await serveUsers(t, { store: memoryStore({ now }), limits, now });
    await users.createUser(tom);
    await users.deleteUser({ key: named('tom') });
    nowMs += 4_999;
    assert.equal(await outcomeOf(users.createUser({ username: 'tom' })), 'USERNAME_TAKEN');
    assert.equal(await outcomeOf(users.createUser({ username: 'thomas', email: tom.email })), 'EMAIL_TAKEN');
    nowMs += 1;
    assert.equal(await outcomeOf(users.createUser(tom)), 'OK');
  });

  it('keeps nothing taken where the setting is zero', async (t) => {
    const users = await serveUsers(t, { limits: limitsWith({ deletedNameHoldMs: 0 }) });
    await users.createUser(tom);
    await users.deleteUser({ key: named('tom') });
    assert.equal(await outcomeOf(users.createUser(tom)), 'OK');
  });

  it('removes nobody whose etag is another', async (t) => {
    const users = await serveUsers(t);
    await users.createUser(tom);
    const key = named('tom');
    const { account } = await users.getAccount({ key });
    await users.updateUser({ key, email: 'thomas@example.com' });
    const { code, reason } = told(await failureOf(users.deleteUser({ key, etag: account?.etag })));
    assert.deepEqual([code, reason], ['Aborted', 'ETAG_OUTDATED']);
    const { account: changed } = await users.getAccount({ key });
    assert.equal((await users.deleteUser({ key, etag: changed?.etag })).user?.username, 'Tom');
    assert.equal((await users.deleteUser({ key, etag: changed?.etag })).user, undefined, 'a repeat');
  });

  it('tries again when others change the user meanwhile, and gives up in the end', async (t) => {
    let left = 2;
    const store = memoryStore();
    const contended = storeWith({
      ...store,
      remove: async (removal, signal) => (left-- > 0 ? false : store.remove(removal, signal)),
    });
    const users = await serveUsers(t, { store: contended, limits: limitsWith({ maxUpdateTries: 3 }) });
    await users.createUser(tom);
    assert.equal((await users.deleteUser({ key: named('tom') })).user?.username, 'Tom');
    await users.createUser({ username: 'ann' });
    left = 3;
    const { code, reason, retryAfterMs } = told(await failureOf(users.deleteUser({ key: named('ann') })));
    assert.deepEqual([code, reason, retryAfterMs], ['Unavailable', 'USER_CONTENDED', 100]);
    assert.equal((await users.getAccount({ key: named('ann') })).account?.user?.username, 'ann');
  });

  for (const deletedNameHoldMs of [0, 1_000_000]) {
    it(`says that a retry is safe unless it could hit another user: names are held ${deletedNameHoldMs} ms`, async (t) => {
      const store = memoryStore();
      const hanging = storeWith({ ...store, remove: () => new Promise(() => {}) });
      const limits = limitsWith({ storeTimeoutMs: 20, deletedNameHoldMs });
      const users = await serveUsers(t, { store: hanging, limits });
      const { user } = await users.createUser(tom);
      const { account } = await users.getAccount({ key: named('tom') });
      const waits: (number | undefined)[] = [];
      for (const request of [
        { key: named('tom') },
        { key: named('tom'), etag: account?.etag },
        { key: numbered(user?.userId ?? 0) },
      ])
        waits.push(told(await failureOf(users.deleteUser(request))).retryAfterMs);
      assert.deepEqual(waits, [deletedNameHoldMs === 0 ? undefined : 1000, 1000, 1000]);
    });
  }

  it('needs a key', async (t) => {
    const users = await serveUsers(t);
    assert.deepEqual(violationsOf(await failureOf(users.deleteUser({}))), ['key REQUIRED']);
  });
});
