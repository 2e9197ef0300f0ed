// What is left of a user who was removed: nothing but that name and address are taken for a while, and request ids.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Account, UserStore } from '../../../functions/users/store.ts';
import {
  byId,
  byName,
  idOf,
  kept,
  listed,
  one,
  requestKey,
  type Suite,
  signedUp,
  ttlMs,
  unbounded,
} from './contract-setting.ts';

const ann = { username: 'Ann', userId: 1, email: 'Ann@x.org', passwordHash: '$argon2id$', createdAtMs: 5 };
const holdMs = 60_000;

async function assertGone(store: UserStore): Promise<void> {
  for (const key of [{ username: 'ann' }, { userId: 1 }, { email: 'ann@x.org' }])
    assert.equal(await idOf(store, key), undefined);
  assert.deepEqual(await store.find([byName('ann'), byId(1)], unbounded), [undefined, undefined]);
  assert.deepEqual(await listed(store, { prefix: 'ann' }), []);
  for await (const accounts of store.all(unbounded))
    assert.ok(accounts.every(({ userId }) => userId !== ann.userId));
}

/** Rules of `remove` that hold for one caller. */
export function removals(suite: Suite): void {
  test('a user is removed as it was read, or not at all, and only once', () =>
    suite.withStore(async (store) => {
      const from = await signedUp(store, ann);
      const remove = (account: Account) => store.remove({ from: account, heldUntilMs: 0 }, unbounded);
      assert.equal(await remove({ ...from, etag: 'stale' }), false);
      assert.equal(await remove({ ...from, userId: 2 }), false);
      assert.equal((await store.change({ from, etag: '1', email: null }, unbounded)).outcome, 'changed');
      assert.equal(await remove(from), false);
      const changed = await kept(store, { userId: 1 });
      assert.equal(await remove(changed), true);
      await assertGone(store);
      assert.equal(await remove(changed), false);
      assert.equal((await store.change({ from: changed, etag: '2' }, unbounded)).outcome, 'outdated');
    }));

  test('not held, name, address and id are free at once', () =>
    suite.withStore(async (store) => {
      const from = await signedUp(store, ann);
      assert.equal(await store.remove({ from, heldUntilMs: Date.now() - 1 }, unbounded), true);
      assert.equal(await store.precheck(ann, unbounded), undefined);
      assert.deepEqual(await signedUp(store, ann), from);
    }));

  test('name and address of a user who was removed stay taken until the hold ends, in any case', () => {
    let nowMs = Date.now();
    return suite.withStore(
      async (store) => {
        const before = await signedUp(store, { ...ann, username: 'First', email: 'first@x.org' });
        const { username, email } = ann;
        const rename = { from: before, etag: '1', username, email };
        assert.equal((await store.change(rename, unbounded)).outcome, 'changed');
        const from = await kept(store, { userId: 1 });
        const eve = await signedUp(store, { username: 'eve', userId: 2 });
        // Stores forget a few of these at a time, so hers is still there, expired, when it is held once more.
        for (const userId of [11, 12, 13, 14]) {
          const other = await signedUp(store, { username: `o${userId}`, userId, email: `o${userId}@x.org` });
          const heldUntilMs = nowMs + holdMs - 1;
          assert.equal(await store.remove({ from: other, heldUntilMs }, unbounded), true);
        }
        assert.equal(await store.remove({ from, heldUntilMs: nowMs + holdMs }, unbounded), true);
        const isHeld = async () => {
          await assertGone(store);
          assert.equal(await store.precheck({ username: 'aNN' }, unbounded), 'username_taken');
          assert.equal(
            await store.precheck({ username: 'bob', email: 'aNN@x.org' }, unbounded),
            'email_taken',
          );
          const signUp = { username: 'aNN', userId: 3, email: 'aNN@x.org' };
          assert.equal((await store.signUp(signUp, unbounded)).outcome, 'username_taken');
          const other = { ...signUp, username: 'bob' };
          assert.equal((await store.signUp(other, unbounded)).outcome, 'email_taken');
          const change = { from: eve, etag: '1', username: 'aNN' };
          assert.equal((await store.change(change, unbounded)).outcome, 'username_taken');
          const address = { from: eve, etag: '1', email: 'aNN@x.org' };
          assert.equal((await store.change(address, unbounded)).outcome, 'email_taken');
        };
        await isHeld();
        await signedUp(store, { username: 'first', userId: 4, email: 'FIRST@x.org' });
        nowMs += holdMs - 2000;
        await isHeld();
        nowMs += 4000;
        assert.equal(await store.precheck(ann, unbounded), undefined);
        const rest = { from: eve, etag: '1', email: 'aNN@x.org' };
        assert.equal((await store.change(rest, unbounded)).outcome, 'changed');
        const again = await signedUp(store, { username: 'Ann', userId: 1 });
        assert.equal(await store.remove({ from: again, heldUntilMs: nowMs + holdMs }, unbounded), true);
        assert.equal(
          await store.precheck({ username: 'ann' }, unbounded),
          'username_taken',
          'held once more',
        );
        assert.equal(await idOf(store, { email: 'ann@x.org' }), 2);
        nowMs += holdMs + 2000;
        assert.equal((await store.signUp({ username: 'ANN', userId: 9 }, unbounded)).outcome, 'created');
      },
      () => nowMs,
    );
  });

  test('request ids outlive the user until they expire: a repeat answers as the first did', () => {
    let nowMs = Date.now();
    return suite.withStore(
      async (store) => {
        const ofSignUp = requestKey(1, nowMs);
        const ofChange = requestKey(2, nowMs, 'change');
        const first = { ...ann, request: ofSignUp };
        const signedUpAs = await signedUp(store, first);
        const change = { from: signedUpAs, etag: '1', username: 'Zoe', request: ofChange };
        assert.equal((await store.change(change, unbounded)).outcome, 'changed');
        const from = await kept(store, { userId: 1 });
        assert.equal(await store.remove({ from, heldUntilMs: 0 }, unbounded), true);
        const repeated = { outcome: 'repeated', user: { username: 'Ann', userId: 1 } };
        assert.deepEqual(await store.signUp({ ...first, userId: 8 }, unbounded), repeated);
        assert.equal(await store.precheck({ ...ann, requestId: ofSignUp.id }, unbounded), undefined);
        assert.deepEqual(await store.recall(ofChange.id, unbounded), { fingerprint: 'change', userId: 1 });
        assert.equal((await store.change(change, unbounded)).outcome, 'request_id_known');
        const other = { ...first, request: requestKey(1, nowMs, 'other') };
        assert.equal((await store.signUp(other, unbounded)).outcome, 'request_id_reused');
        await signedUp(store, { ...ann, userId: 9 });
        assert.deepEqual(await store.signUp(first, unbounded), repeated, 'whoever has the name by now');
        nowMs += ttlMs + 2000;
        assert.equal(await store.recall(ofSignUp.id, unbounded), undefined);
        const late = { ...first, request: requestKey(1, nowMs) };
        assert.equal((await store.signUp(late, unbounded)).outcome, 'username_taken');
        assert.equal(
          (await store.signUp({ ...late, username: 'bob', email: 'b@x.org' }, unbounded)).outcome,
          'created',
        );
        assert.deepEqual(await one(store, byId(1)), { username: 'bob', userId: 1 });
      },
      () => nowMs,
    );
  });
}
