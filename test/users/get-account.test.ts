// Proves that GetAccount finds all that is kept of a user by name, id and address, but the hash of the password; that
// who is not there is NOT_FOUND, also by a name that nobody can have, which no store is asked for; and that an etag is
// another one after each change and of each user.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { UserKey } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { addressed, named, numbered } from './keys.ts';
import { limitsWith, serveUsers, storeWith } from './serving.ts';
import { failureOf, outcomeOf, told, violationsOf } from './told.ts';

describe('GetAccount', () => {
  it('tells all that is kept, but no password, by each key and in any case', async (t) => {
    const users = await serveUsers(t, { now: () => 1_234_567_890 });
    const tom = { username: 'Tom', email: 'Tom@example.com', password: 'open sesame' };
    const { user } = await users.createUser(tom);
    assert.ok(user);
    const keys = [named('tOM'), addressed('tom@EXAMPLE.com'), numbered(user.userId)];
    const accounts = await Promise.all(keys.map((key) => users.getAccount({ key })));
    for (const { account } of accounts) assert.deepEqual(account, accounts[0]?.account);
    const account = accounts[0]?.account ?? assert.fail();
    assert.deepEqual(account.user, user);
    assert.deepEqual([account.email, account.hasPassword], ['Tom@example.com', true]);
    assert.equal(account.createdAt && timestampMs(account.createdAt), 1_234_567_890);
    assert.match(account.etag, /^[\w-]{22}$/);
    assert.ok(!JSON.stringify(account, (_, it) => String(it)).includes('argon2id'));
  });

  it('tells nothing where nothing is kept', async (t) => {
    const store = memoryStore();
    await store.signUp({ username: 'ann', userId: 7 }, AbortSignal.timeout(1000));
    const users = await serveUsers(t, { store });
    const { account } = await users.getAccount({ key: named('ann') });
    assert.deepEqual([account?.email, account?.hasPassword, account?.createdAt], ['', false, undefined]);
  });

  it('fails with NOT_FOUND, and asks no store for a name or an address that nobody can have', async (t) => {
    const asked: UserKey[] = [];
    const store = storeWith({
      async account(key) {
        asked.push(key);
        return undefined;
      },
    });
    const users = await serveUsers(t, { store });
    for (const key of [named('nobody'), named('no body'), addressed('a@b'), addressed('@'), numbered(9)]) {
      const { code, reason } = told(await failureOf(users.getAccount({ key })));
      assert.deepEqual([code, reason], ['NotFound', 'USER_NOT_FOUND']);
    }
    const nobody = { userId: 0 };
    assert.deepEqual(asked, [{ username: 'nobody' }, nobody, { email: 'a@b' }, nobody, { userId: 9 }]);
  });

  it('needs a key', async (t) => {
    const users = await serveUsers(t);
    for (const key of [undefined, {}, named(''), addressed(''), numbered(0)])
      assert.deepEqual(violationsOf(await failureOf(users.getAccount({ key }))), ['key REQUIRED']);
  });

  it('has an etag for each state of each user', async (t) => {
    const users = await serveUsers(t, { limits: limitsWith({ deletedNameHoldMs: 0 }) });
    const etags: (string | undefined)[] = [];
    const read = async () => etags.push((await users.getAccount({ key: named('ann') })).account?.etag);
    await users.createUser({ username: 'ann' });
    await read();
    await read();
    assert.equal(etags[0], etags[1]);
    await users.updateUser({ key: named('ann'), email: 'ann@example.com' });
    await read();
    await users.deleteUser({ key: named('ann') });
    await users.createUser({ username: 'ann' });
    await read();
    assert.equal(new Set(etags).size, 3, 'that of another Ann is another one');
  });

  it('says that the store does not answer', async (t) => {
    const store = storeWith({ account: () => new Promise(() => {}) });
    const users = await serveUsers(t, { store, limits: limitsWith({ storeTimeoutMs: 20 }) });
    assert.equal(await outcomeOf(users.getAccount({ key: named('ann') })), 'STORE_UNAVAILABLE');
  });
});
