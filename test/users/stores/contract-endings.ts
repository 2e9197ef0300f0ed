// What cancelling and closing leave behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../functions/limits.ts';
import {
  type Account,
  firstEtag,
  type SignUp,
  StoreError,
  type UserStore,
} from '../../../functions/users/store.ts';
import {
  byId,
  byName,
  everybody,
  kept,
  one,
  outcomes,
  requestKey,
  type Suite,
  signedUp,
  unbounded,
} from './contract-setting.ts';

/** Whatever else a store can be asked, each of which would change or find something. */
function callsOf(store: UserStore, from: Account, signal: AbortSignal): (() => Promise<unknown>)[] {
  return [
    () => store.account({ userId: from.userId }, signal),
    () => store.change({ from, etag: 'next', username: 'changed' }, signal),
    () => store.recall(requestKey(1).id, signal),
    () => store.remove({ from, heldUntilMs: 0 }, signal),
    () => store.list({ prefix: '', after: '', maxUsers: 1 }, signal),
    () => everybody(store, signal),
  ];
}

/** Calls that end early, and the end of the store. */
export function endings(suite: Suite): void {
  test('an aborted signal ends a call with its reason, and nothing is begun', () =>
    suite.withStore(async (store) => {
      const reason = new Error('the deadline passed');
      const aborted = AbortSignal.abort(reason);
      const isReason = (error: unknown) => error === reason;
      await assert.rejects(store.signUp({ username: 'ann', userId: 1 }, aborted), isReason);
      await assert.rejects(store.find([byName('ann')], aborted), isReason);
      await assert.rejects(store.precheck({ username: 'ann' }, aborted), isReason);
      await assert.rejects(store.probe(aborted), isReason);
      const eve = await signedUp(store, { username: 'eve', userId: 2 });
      for (const call of callsOf(store, eve, aborted)) await assert.rejects(call, isReason);
      assert.deepEqual(await kept(store, { userId: 2 }), eve);
      assert.equal(await one(store, byName('ann')), undefined);
    }));

  test('cancelled in the middle, each sign-up happened or not, and a repeat ends with one user', () =>
    suite.withStore(async (store) => {
      const reason = new Error('the client went away');
      const signUps = Array.from({ length: 40 }, (_, i) => ({
        username: `u${i}`,
        userId: i + 1,
        email: `${i}@example.com`,
        request: requestKey(i),
      }));
      const controller = new AbortController();
      const begin = (signUp: SignUp) => store.signUp(signUp, controller.signal);
      const early = signUps.slice(0, 20).map(begin);
      await Promise.race(early);
      const late = signUps.slice(20).map(begin);
      controller.abort(reason);
      const settled = await Promise.allSettled([...early, ...late]);
      const rejected = settled.filter((call) => call.status === 'rejected');
      for (const call of rejected) assert.equal(call.reason, reason);
      if (suite.shared) assert.ok(rejected.length > 0, 'those that waited were not begun');
      const again = await Promise.all(
        signUps.map((signUp) => store.signUp({ ...signUp, userId: signUp.userId + 1000 }, unbounded)),
      );
      for (const [i, result] of again.entries()) {
        assert.ok(result.outcome === 'created' || result.outcome === 'repeated', result.outcome);
        assert.deepEqual(await one(store, byName(`u${i}`)), result.user);
        const ids = await store.find([byId(i + 1), byId(i + 1001)], unbounded);
        assert.deepEqual(
          ids.filter((user) => user),
          [result.user],
          'nothing half-written',
        );
      }
    }));

  test('cancelled between two chunks, a read stops', () =>
    suite.withStore(async (store) => {
      const controller = new AbortController();
      const wanted = Array.from({ length: limits.readChunkUsers }, (_, i) => byId(i + 1));
      await store.find(wanted, controller.signal);
      const next = store.find(wanted, controller.signal);
      const reason = new Error('enough');
      controller.abort(reason);
      // What was under way may still end well; the one after it must not begin.
      await next.catch((error: unknown) => assert.equal(error, reason));
      await assert.rejects(store.find(wanted, controller.signal), (error) => error === reason);
    }));

  test('closing lets calls under way finish; afterwards it refuses, and may be closed again', () =>
    suite.withStore(async (store, data) => {
      const signUps = Array.from({ length: 20 }, (_, i) => ({ username: `u${i}`, userId: i + 1 }));
      const calls = signUps.map((signUp) => store.signUp(signUp, unbounded));
      await store.close();
      assert.deepEqual(outcomes(await Promise.all(calls)), { created: 20 });
      const refused = (error: unknown) => error instanceof StoreError && error.retrySafe;
      await assert.rejects(store.signUp({ username: 'late', userId: 99 }, unbounded), refused);
      await assert.rejects(store.find([byId(1)], unbounded), refused);
      await assert.rejects(store.precheck({ username: 'late' }, unbounded), refused);
      await assert.rejects(store.probe(unbounded), refused);
      const from = { username: 'u0', userId: 1, etag: firstEtag };
      for (const call of callsOf(store, from, unbounded)) await assert.rejects(call, refused);
      await store.close();
      if (!suite.shared) return;
      const reopened = await data.open();
      try {
        const found = await reopened.find(
          signUps.map(({ username }) => byName(username)),
          unbounded,
        );
        assert.deepEqual(found, signUps);
        assert.equal(await one(reopened, byName('late')), undefined);
        assert.deepEqual(await kept(reopened, { userId: 1 }), from);
      } finally {
        await reopened.close();
      }
    }));
}
