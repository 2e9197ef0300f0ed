// What the DynamoDB store keeps of users who change and go, what it asks DynamoDB for, and that servers of version 1
// can work beside it. Runs where DYNAMODB_ENDPOINT is set.
import assert from 'node:assert/strict';
import type { Account, UserKey } from '../../../functions/users/store.ts';
import { kept, listed, signedUp, unbounded } from './contract-setting.ts';
import {
  ann,
  endpoint,
  itemsOf,
  request,
  users,
  wanted,
  withoutEndpoint,
  withProxy,
} from './dynamodb-setting.ts';
import { putByVersion1 } from './dynamodb-table.ts';

if (endpoint === undefined) withoutEndpoint('what the DynamoDB store asks for');
else requests(endpoint);

function requests(endpoint: string): void {
  const signUp = { ...ann, email: 'Ann@x.org', passwordHash: '$argon2id$', createdAtMs: 5 };
  const heldUntilMs = Date.now() + 60_000;
  const hold = { username: '', userId: 0, heldUntilMs, expiresAt: Math.ceil(heldUntilMs / 1000) };

  withProxy(
    endpoint,
    'a change, and a removal, are one transaction each',
    async ({ store, proxy, table }) => {
      const from = await signedUp(store, signUp);
      proxy.seen.clear();
      const change = { from, etag: 'e1', username: 'Zoe', email: 'zoe@x.org', passwordHash: null, request };
      assert.equal((await store.change(change, unbounded)).outcome, 'changed');
      const { userId } = ann;
      const remembered = {
        pk: 'REQ#r1',
        userId,
        fingerprint: 'f',
        expiresAt: Math.ceil(request.expiresAtMs / 1000),
      };
      assert.deepEqual(await itemsOf(table), [
        { pk: 'MAIL#zoe@x.org', userId },
        { pk: 'NAME#zoe', username: 'Zoe', userId, initial: 'z' },
        remembered,
        { pk: 'USER#7', username: 'Zoe', userId, email: 'zoe@x.org', createdAtMs: 5, etag: 'e1' },
      ]);
      const zoe = await kept(store, { userId });
      proxy.seen.delete('BatchGetItem');
      assert.equal(await store.remove({ from: zoe, heldUntilMs }, unbounded), true);
      const holds = [
        { pk: 'MAIL#zoe@x.org', ...hold },
        { pk: 'NAME#zoe', ...hold },
      ];
      assert.deepEqual(
        await itemsOf(table),
        [...holds, remembered],
        'no trace of the person but what is held',
      );
      assert.deepEqual(Object.fromEntries(proxy.seen), { TransactWriteItems: 2 });
      const bob = await signedUp(store, { username: 'bob', userId: 8, email: 'bob@x.org' });
      assert.equal(await store.remove({ from: bob, heldUntilMs: Date.now() - 1 }, unbounded), true);
      assert.deepEqual(await itemsOf(table), [...holds, remembered], 'not held, nothing stays');
    },
  );

  withProxy(endpoint, 'who is not there takes the requests of who is', async ({ store, proxy }) => {
    await signedUp(store, signUp);
    const gone = await signedUp(store, { username: 'gone', userId: 9, email: 'gone@x.org' });
    assert.equal(await store.remove({ from: gone, heldUntilMs }, unbounded), true);
    const asked: string[] = [];
    proxy.fault = ({ action, body }) => {
      assert.match(body, /"ConsistentRead":true/);
      const [batch] = Object.values<{ ProjectionExpression: string }>(JSON.parse(body).RequestItems);
      asked.push(`${action} ${batch?.ProjectionExpression}`);
      return 'pass';
    };
    const requestsFor = async (key: UserKey) => {
      asked.length = 0;
      const account = await store.account(key, unbounded);
      return { isThere: account !== undefined, asked: [...asked] };
    };
    for (const [there, ...absent] of [
      [{ userId: 7 }, { userId: 8 }],
      [{ username: 'ANN' }, { username: 'bob' }, { username: 'gone' }],
      [{ email: 'ANN@x.org' }, { email: 'bob@x.org' }, { email: 'gone@x.org' }],
    ] satisfies [UserKey, ...UserKey[]][]) {
      const expected = await requestsFor(there);
      assert.equal(expected.isThere, true);
      assert.equal(expected.asked.length, 'userId' in there ? 1 : 2);
      for (const key of absent)
        assert.deepEqual(await requestsFor(key), { isThere: false, asked: expected.asked });
    }
  });

  withProxy(
    endpoint,
    'calls at once share requests, each gets its own, and closing waits for all of them',
    async ({ store, proxy }) => {
      await Promise.all(users.map((user) => store.signUp(user, unbounded)));
      proxy.seen.clear();
      const calls = Array.from({ length: 500 }, (_, i) => wanted.slice(i % 100, (i % 100) + 2));
      const found = calls.map((some) => store.find(some, unbounded));
      const ids = users.map(({ userId }) => store.account({ userId }, unbounded));
      await store.close();
      for (const [i, some] of (await Promise.all(found)).entries())
        assert.deepEqual(some, users.slice(i % 100, (i % 100) + 2));
      assert.deepEqual(
        (await Promise.all(ids)).map((account) => account?.userId),
        users.map(({ userId }) => userId),
      );
      // 600 calls: a batch is full with a hundred different keys.
      assert.ok((proxy.seen.get('BatchGetItem') ?? 0) <= 7, String(proxy.seen.get('BatchGetItem')));
    },
  );

  withProxy(
    endpoint,
    'who is renamed between the two reads of an account is nobody',
    async ({ store, proxy }) => {
      const from = await signedUp(store, signUp);
      let isRenamed = false;
      proxy.fault = ({ action, body }) => {
        if (action !== 'BatchGetItem' || isRenamed) return 'pass';
        isRenamed = true;
        return {
          request: body,
          answer: async (answer) => {
            await store.change({ from, etag: '1', username: 'Zoe' }, unbounded);
            return answer;
          },
        };
      };
      assert.equal(await store.account({ username: 'ann' }, unbounded), undefined);
      assert.equal((await kept(store, { username: 'zoe' })).userId, 7);
    },
  );

  withProxy(endpoint, 'who has drawn the id of one who is gone is not taken for it', async ({ store }) => {
    const gone = await signedUp(store, { ...ann, email: 'ann@x.org' });
    assert.equal(await store.remove({ from: gone, heldUntilMs }, unbounded), true);
    const bob = await signedUp(store, { username: 'bob', userId: ann.userId });
    assert.equal(bob.etag, gone.etag, 'the etags of those who never changed are the same');
    const rename = { from: gone, etag: '1', username: 'Zoe' };
    assert.equal((await store.change(rename, unbounded)).outcome, 'outdated');
    assert.equal((await store.change({ from: gone, etag: '1', email: null }, unbounded)).outcome, 'outdated');
    assert.equal(await store.remove({ from: gone, heldUntilMs }, unbounded), false);
    assert.deepEqual(await kept(store, { username: 'bob' }), bob);
    assert.equal(await store.account({ username: 'zoe' }, unbounded), undefined);
  });

  withProxy(
    endpoint,
    'a page is queries of an index, one with a prefix and 36 at most',
    async ({ store, proxy }) => {
      const names = ['0', '9z', 'a', 'a-b', 'ab', 'm', 'z', 'zz'];
      await Promise.all(names.map((username, i) => store.signUp({ username, userId: i + 1 }, unbounded)));
      const requestsFor = async (prefix: string, after: string, maxUsers: number) => {
        proxy.seen.clear();
        const { users } = await store.list({ prefix, after, maxUsers }, unbounded);
        assert.deepEqual([...proxy.seen.keys()], ['Query']);
        return [users.length, proxy.seen.get('Query')];
      };
      assert.deepEqual(await requestsFor('', '', 100), [8, 36]);
      assert.deepEqual(await requestsFor('', '', 5), [5, 11]);
      assert.deepEqual(await requestsFor('', 'ab', 100), [3, 26]);
      assert.deepEqual(await requestsFor('a', '', 100), [3, 1]);
      assert.deepEqual(await requestsFor('z', 'z', 1), [1, 1]);
      proxy.seen.clear();
      assert.deepEqual(await store.list({ prefix: '', after: 'z~', maxUsers: 9 }, unbounded), { users: [] });
      assert.deepEqual(await store.list({ prefix: '_', after: '', maxUsers: 9 }, unbounded), { users: [] });
      assert.equal(proxy.seen.size, 0);
    },
  );

  withProxy(
    endpoint,
    'a page ends where DynamoDB ends one, and the next goes on there',
    async ({ store, proxy }) => {
      const names = ['aa', 'ab', 'ac', 'ad', 'ae', 'b'];
      await Promise.all(names.map((username, i) => store.signUp({ username, userId: i + 1 }, unbounded)));
      proxy.fault = ({ body }) => ({
        request: JSON.stringify({ ...JSON.parse(body), Limit: 2 }), // as after 1 MB
        answer: (answer) => answer,
      });
      const { users, next } = await store.list({ prefix: 'a', after: '', maxUsers: 100 }, unbounded);
      assert.deepEqual([users.map(({ username }) => username), next], [['aa', 'ab'], 'ab']);
      assert.deepEqual(await listed(store, {}), names);
    },
  );

  withProxy(
    endpoint,
    'whom version 1 has stored can be changed, renamed and removed',
    async ({ store, table }) => {
      await putByVersion1(table, 'Old', 3);
      const from = await kept(store, { username: 'old' });
      const expected: Account = {
        username: 'Old',
        userId: 3,
        email: 'Old@x.org',
        passwordHash: '$argon2id$',
        etag: 'first',
      };
      assert.deepEqual(from, expected);
      const stale = { from: { ...from, etag: 'other' }, etag: '1', username: 'New' };
      assert.equal((await store.change(stale, unbounded)).outcome, 'outdated');
      assert.equal((await store.change({ ...stale, from }, unbounded)).outcome, 'changed');
      assert.deepEqual(await listed(store, {}), ['New']);
      await putByVersion1(table, 'Other', 4);
      const other = await kept(store, { email: 'other@x.org' });
      assert.equal(await store.remove({ from: { ...other, etag: '1' }, heldUntilMs }, unbounded), false);
      assert.equal(await store.remove({ from: other, heldUntilMs }, unbounded), true);
      assert.equal(await store.account({ username: 'other' }, unbounded), undefined);
    },
  );

  withProxy(endpoint, 'version 1 finds what it reads of an item, of a hold too', async ({ store, table }) => {
    const from = await signedUp(store, { ...signUp, request });
    await store.remove({ from, heldUntilMs }, unbounded);
    for (const item of await itemsOf(table)) {
      // It reads them to answer GetUsers, and the repeat of a sign-up, and fails without.
      if (!/^(NAME|REQ)#/.test(String(item.pk))) continue;
      assert.equal(typeof item.username, 'string', String(item.pk));
      assert.equal(typeof item.userId, 'number', String(item.pk));
    }
  });
}
