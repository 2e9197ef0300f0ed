// Pages of users, in the order of their folded names, and copies of all: nobody twice, nobody left out who stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstEtag, type StoredUser, type UserStore } from '../../../functions/users/store.ts';
import { everybody, kept, listed, type Suite, signedUp, unbounded } from './contract-setting.ts';

// In their order: of what names are made of, "-" and "." come first, then digits, "_", and letters.
const names = ['A', 'a-b', 'A.b', 'a1', 'A_', 'aa', 'Ab', 'abc', 'B', 'b0', 'bA', 'bz', 'C-3PO', 'z', 'zz'];

async function signUpAll(store: UserStore, usernames: readonly string[], firstId = 1): Promise<void> {
  for (let at = 0; at < usernames.length; at += 100) {
    const some = usernames.slice(at, at + 100);
    await Promise.all(
      some.map((username, i) => store.signUp({ username, userId: firstId + at + i }, unbounded)),
    );
  }
}

/** Rules of `list` and `all`. */
export function pages(suite: Suite): void {
  test('pages of any size list everybody once, in order; a prefix lists those who begin so', () =>
    suite.withStore(async (store) => {
      assert.deepEqual(await listed(store, {}), []);
      await signUpAll(store, names.toReversed());
      for (const maxUsers of [1, 2, 3, names.length - 1, names.length, names.length + 1, 1000]) {
        assert.deepEqual(await listed(store, { maxUsers }), names);
        for (const prefix of ['a', 'a-', 'ab', 'b', 'z', 'zz', 'c-3po', 'c-3po.', '0', 'zzz', 'aaaa', '_']) {
          const expected = names.filter((name) => name.toLowerCase().startsWith(prefix));
          assert.deepEqual(await listed(store, { prefix, maxUsers }), expected, `${prefix} by ${maxUsers}`);
        }
      }
      const { users } = await store.list({ prefix: 'b0', after: '', maxUsers: 5 }, unbounded);
      const shown: readonly StoredUser[] = [{ username: 'b0', userId: 6 }];
      assert.deepEqual(users, shown, 'name and id, no more');
    }));

  test('a page comes after any text, a name or not; after the beginning of one and ~, it skips all of these', () =>
    suite.withStore(async (store) => {
      await signUpAll(store, names);
      for (const prefix of ['', 'a', 'ab', 'b', 'z']) {
        for (const after of [
          '',
          '0',
          'a',
          'a~',
          'aa',
          'aaa',
          'ab~',
          'az',
          'b',
          'b~',
          'bz',
          'c',
          'z~',
          'zz',
          'zz~',
          '~',
        ]) {
          const expected = names.filter((name) => {
            const folded = name.toLowerCase();
            return folded.startsWith(prefix) && folded > after;
          });
          const seen: string[] = [];
          for (let from: string | undefined = after; from !== undefined; ) {
            const page = await store.list({ prefix, after: from, maxUsers: 4 }, unbounded);
            seen.push(...page.users.map(({ username }) => username));
            from = page.next;
          }
          assert.deepEqual(seen, expected, `"${prefix}" after "${after}"`);
        }
      }
    }));

  test('a page shows who is there now: signed up, renamed, removed', () =>
    suite.withStore(async (store) => {
      await signUpAll(store, ['ann', 'bob', 'eve']);
      assert.deepEqual(await listed(store, {}), ['ann', 'bob', 'eve']);
      const from = await kept(store, { username: 'ann' });
      await store.change({ from, etag: '1', username: 'Zoe' }, unbounded);
      assert.deepEqual(await listed(store, {}), ['bob', 'eve', 'Zoe']);
      const zoe = await kept(store, { username: 'zoe' });
      await store.change({ from: zoe, etag: '2', username: 'ZOE' }, unbounded);
      const bob = await kept(store, { username: 'bob' });
      await store.remove({ from: bob, heldUntilMs: Date.now() + 60_000 }, unbounded);
      assert.deepEqual(await listed(store, {}), ['eve', 'ZOE'], 'what is held is no user');
      await signedUp(store, { username: 'Ann', userId: 9 });
      assert.deepEqual(await listed(store, {}), ['Ann', 'eve', 'ZOE']);
    }));

  test('while users come and go, those who stay are on one page each', () =>
    suite.withStore(async (store) => {
      const stay = Array.from({ length: 40 }, (_, i) => `stay-${String(i).padStart(2, '0')}`);
      const go = stay.map((name) => `${name}-goes`);
      await signUpAll(store, stay);
      await signUpAll(store, go, 1001);
      let round = 0;
      const seen = await listed(store, { prefix: 'stay', maxUsers: 5 }, async () => {
        round += 1;
        const from = await kept(store, { username: go[(round * 17) % 40] ?? '' });
        await store.remove({ from, heldUntilMs: 0 }, unbounded);
        await store.signUp({ username: `${stay[(round * 23) % 40]}-came`, userId: 5000 + round }, unbounded);
        await store.signUp({ username: from.username, userId: 6000 + round }, unbounded);
      });
      assert.deepEqual(
        seen.filter((name) => stay.includes(name)),
        stay,
      );
    }));

  test('a copy has everybody once, with all that is kept, also while users come, change and go', () =>
    suite.withStore(async (store) => {
      assert.deepEqual(await everybody(store), []);
      const count = Math.min(suite.usersToRead, 1200);
      const usernames = Array.from({ length: count }, (_, i) => `User-${i}`);
      await signUpAll(store, usernames);
      const full = {
        username: 'Full',
        userId: 2 ** 32 - 1,
        email: 'F@x.org',
        passwordHash: '$',
        createdAtMs: 7,
      };
      await signedUp(store, { ...full, etag: 'e' });
      const fields = await everybody(store);
      assert.equal(fields.length, count + 1);
      assert.deepEqual(
        fields.toSorted((a, b) => a.userId - b.userId),
        [
          ...usernames.map((username, i) => ({ username, userId: i + 1, etag: firstEtag })),
          { ...full, etag: 'e' },
        ],
      );

      const seen = new Map<number, number>();
      let batches = 0;
      for await (const accounts of store.all(unbounded)) {
        for (const { userId } of accounts) seen.set(userId, (seen.get(userId) ?? 0) + 1);
        batches += 1;
        // Ids that are multiples of 3 go, or change; the others stay.
        const [goes, changes] = [batches * 3, batches * 33];
        const from = await store.account({ userId: goes }, unbounded);
        if (from) await store.remove({ from, heldUntilMs: 0 }, unbounded);
        const renamed = await store.account({ userId: changes }, unbounded);
        const change = renamed && { from: renamed, etag: 'next', username: `aaa-${batches}` };
        if (change) await store.change(change, unbounded);
        await store.signUp({ username: `new-${batches}`, userId: 100_000 + batches }, unbounded);
      }
      assert.ok(batches > 1, 'some at a time');
      for (const [userId, times] of seen) assert.equal(times, 1, `${userId} was there ${times} times`);
      for (let userId = 1; userId <= count; userId++) assert.ok(userId % 3 === 0 || seen.has(userId));
      for await (const _ of store.all(unbounded)) break; // leaves nothing open that `close` would wait for
    }));
}
