// What a change of a user is checked against, in which order, and what is found of it afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Account, type Change, firstEtag } from '../../../functions/users/store.ts';
import {
  byId,
  byName,
  idOf,
  kept,
  one,
  requestKey,
  type Suite,
  signedUp,
  ttlMs,
  unbounded,
} from './contract-setting.ts';

const ann = {
  username: 'Ann',
  userId: 4_294_967_295,
  email: 'Ann@example.com',
  passwordHash: '$argon2id$first',
  createdAtMs: 1_700_000_000_123,
};

/** Rules of `account`, `change` and `recall` that hold for one caller. */
export function changes(suite: Suite): void {
  test('an account is found by name, id and address, in any case, with all that is kept', () =>
    suite.withStore(async (store) => {
      const account = { ...ann, etag: firstEtag };
      assert.deepEqual(await signedUp(store, { ...ann, request: requestKey(1) }), account);
      for (const key of [{ username: 'aNN' }, { userId: ann.userId }, { email: 'aNN@eXAMPLE.com' }])
        assert.deepEqual(await kept(store, key), account);
      for (const key of [{ username: 'bob' }, { userId: 1 }, { email: 'ann' }, { email: 'a'.repeat(5000) }])
        assert.equal(await store.account(key, unbounded), undefined);
      const least = { username: 'bob', userId: 1 };
      assert.deepEqual(await signedUp(store, least), { ...least, etag: firstEtag });
      const moved = {
        ...ann,
        username: 'eve',
        userId: 2,
        email: 'eve@example.com',
        etag: 'of another store',
      };
      assert.deepEqual(await signedUp(store, moved), moved);
    }));

  test('a change: what is undefined stays, null removes, and what was given up is free at once', () =>
    suite.withStore(async (store) => {
      let from = await signedUp(store, ann);
      const change = async (what: Omit<Change, 'from'>) => {
        const result = await store.change({ from, ...what }, unbounded);
        assert.ok(result.outcome === 'changed', result.outcome);
        from = await kept(store, { userId: ann.userId });
        assert.deepEqual({ ...result.account }, { ...result.account, ...from });
        return from;
      };
      const { userId, createdAtMs } = ann;
      assert.deepEqual(await change({ etag: '1', passwordHash: '$2' }), {
        ...ann,
        etag: '1',
        passwordHash: '$2',
      });
      const renamed = { username: 'Zoe', userId, createdAtMs, email: 'zoe@x.org', etag: '2' };
      assert.deepEqual(
        await change({ etag: '2', username: 'Zoe', email: 'zoe@x.org', passwordHash: null }),
        renamed,
      );
      for (const key of [{ username: 'ZOE' }, { email: 'ZOE@x.org' }])
        assert.equal(await idOf(store, key), userId);
      assert.deepEqual(await one(store, byName('zoe')), { username: 'Zoe', userId });
      assert.deepEqual(await one(store, byId(userId)), { username: 'Zoe', userId });
      for (const key of [{ username: 'ann' }, { email: 'ann@example.com' }])
        assert.equal(await idOf(store, key), undefined);
      assert.equal(await one(store, byName('ann')), undefined);
      await signedUp(store, { ...ann, userId: 1 });
      assert.deepEqual(await change({ etag: '3', email: null }), {
        username: 'Zoe',
        userId,
        createdAtMs,
        etag: '3',
      });
      await signedUp(store, { username: 'eve', userId: 2, email: 'zoe@x.org' });
      assert.deepEqual(await change({ etag: '4' }), { username: 'Zoe', userId, createdAtMs, etag: '4' });
    }));

  test('a name, or an address, that differs from the user’s own only in case is its own', () =>
    suite.withStore(async (store) => {
      const from = await signedUp(store, ann);
      const own = { username: 'aNN', email: 'aNN@Example.com' };
      assert.equal((await store.change({ from, etag: '1', ...own }, unbounded)).outcome, 'changed');
      assert.deepEqual(await kept(store, { username: 'ann' }), { ...ann, ...own, etag: '1' });
      assert.deepEqual(await one(store, byName('ann')), { username: 'aNN', userId: ann.userId });
      assert.equal(await idOf(store, { email: 'ann@example.com' }), ann.userId);
      const again = { from: await kept(store, { userId: ann.userId }), etag: '2', ...own };
      assert.equal((await store.change(again, unbounded)).outcome, 'changed', 'nor are they new to it');
    }));

  test('rules of a change are decided in order: request id, etag, name, e-mail; a refusal changes nothing', () =>
    suite.withStore(async (store) => {
      const bob = await signedUp(store, { username: 'bob', userId: 1, email: 'bob@x.org' });
      const from = await signedUp(store, { ...ann, request: requestKey(1) });
      const stale: Account = { ...from, etag: 'stale' };
      const taken = { etag: '1', username: 'BOB', email: 'BOB@x.org' };
      const attempt = async (change: Change) => (await store.change(change, unbounded)).outcome;
      const request = requestKey(2);
      assert.equal(await attempt({ from: stale, ...taken, request: requestKey(1) }), 'request_id_known');
      const other = requestKey(1, Date.now(), 'other');
      assert.equal(await attempt({ from, etag: '1', request: other }), 'request_id_known');
      assert.equal(await attempt({ from: stale, ...taken, request }), 'outdated');
      assert.equal(await attempt({ from, ...taken, request }), 'username_taken');
      assert.equal(await attempt({ from, ...taken, username: 'bo', request }), 'email_taken');
      assert.equal(await attempt({ from: { ...from, userId: 7 }, etag: '1', request }), 'outdated', 'nobody');
      assert.deepEqual(await kept(store, { userId: ann.userId }), from);
      assert.deepEqual(await kept(store, { userId: 1 }), bob);
      assert.equal(await idOf(store, { username: 'bo' }), undefined);
      assert.equal(await store.recall(request.id, unbounded), undefined, 'a refusal spends no id');
      assert.equal(await attempt({ from, etag: '1', username: 'bo', request }), 'changed');
    }));

  test('a change may keep the etag, and then outdates nobody', () =>
    suite.withStore(async (store) => {
      const from = await signedUp(store, ann);
      const rehash = { from, etag: from.etag, passwordHash: '$argon2id$again' };
      assert.equal((await store.change(rehash, unbounded)).outcome, 'changed');
      assert.deepEqual(await kept(store, { userId: ann.userId }), {
        ...from,
        passwordHash: '$argon2id$again',
      });
      assert.equal((await store.change({ from, etag: '1', email: null }, unbounded)).outcome, 'changed');
      const { passwordHash } = await kept(store, { userId: ann.userId });
      assert.equal(
        passwordHash,
        '$argon2id$again',
        'what does not change is not as it was read, but as it is',
      );
      assert.equal((await store.change({ ...rehash }, unbounded)).outcome, 'outdated');
    }));

  test('sign-ups and changes share their request ids, until these expire', () => {
    let nowMs = Date.now();
    return suite.withStore(
      async (store) => {
        const ofSignUp = requestKey(1, nowMs);
        const ofChange = requestKey(2, nowMs, 'change');
        const first = { ...ann, request: ofSignUp };
        const from = await signedUp(store, first);
        const change = { from, etag: '1', username: 'Zoe', request: ofChange };
        assert.equal((await store.change(change, unbounded)).outcome, 'changed');
        const { userId } = ann;
        const isKnown = async () => {
          assert.deepEqual(await store.recall(ofSignUp.id, unbounded), { fingerprint: 'content', userId });
          assert.deepEqual(await store.recall(ofChange.id, unbounded), { fingerprint: 'change', userId });
          assert.equal(await store.recall(requestKey(3).id, unbounded), undefined);
          assert.deepEqual(await store.signUp({ ...first, userId: 5 }, unbounded), {
            outcome: 'repeated',
            user: { username: 'Ann', userId },
          });
          const reused = { username: 'eve', userId: 5, request: requestKey(2, nowMs) };
          assert.equal((await store.signUp(reused, unbounded)).outcome, 'request_id_reused');
          assert.equal(
            await store.precheck({ username: 'zoe', requestId: ofChange.id }, unbounded),
            undefined,
          );
          assert.equal((await store.change(change, unbounded)).outcome, 'request_id_known');
        };
        await isKnown();
        nowMs += ttlMs - 2000;
        await isKnown();
        nowMs += 4000;
        for (const { id } of [ofSignUp, ofChange]) {
          assert.equal(await store.recall(id, unbounded), undefined);
          assert.equal(await store.precheck({ username: 'zoe', requestId: id }, unbounded), 'username_taken');
        }
        const next = { username: 'ann', userId: 5, request: requestKey(2, nowMs) };
        assert.equal((await store.signUp(next, unbounded)).outcome, 'created');
        assert.deepEqual(await store.recall(ofChange.id, unbounded), { fingerprint: 'content', userId: 5 });
        const again = { ...change, request: requestKey(1, nowMs, 'change') };
        assert.equal((await store.change(again, unbounded)).outcome, 'outdated');
        again.from = await kept(store, { userId });
        assert.equal((await store.change(again, unbounded)).outcome, 'changed');
        assert.deepEqual(await store.recall(ofSignUp.id, unbounded), { fingerprint: 'change', userId });
      },
      () => nowMs,
    );
  });
}
