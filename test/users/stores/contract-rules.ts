// What a sign-up is checked against, in which order, and how users are found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../functions/limits.ts';
import type { Candidate, SignUp } from '../../../functions/users/store.ts';
import { byId, byName, one, requestKey, type Suite, ttlMs, unbounded } from './contract-setting.ts';

/** Rules that hold for one caller. */
export function rules(suite: Suite): void {
  test('finds a user by name in any case, and by id; the name keeps its case', () =>
    suite.withStore(async (store) => {
      const user = { username: 'Tom.Jones', userId: 4_294_967_295 };
      assert.deepEqual(await store.signUp({ ...user, email: 'tom@example.com' }, unbounded), {
        outcome: 'created',
        user,
      });
      assert.deepEqual(await one(store, byName('tom.jONES')), user);
      assert.deepEqual(await one(store, byId(user.userId)), user);
      assert.equal(await one(store, byName('tom')), undefined);
      assert.equal(await one(store, byId(1)), undefined);
      assert.equal(await one(store, byId(0)), undefined);
      assert.equal(await one(store, byName('x'.repeat(100_000))), undefined);
      assert.deepEqual(await one(store, { username: 'TOM.JONES', userId: 1 }), user, 'the name decides');
      assert.deepEqual(await store.find([], unbounded), []);
    }));

  test('names and e-mail addresses are unique without regard to case, and a refusal changes nothing', () =>
    suite.withStore(async (store) => {
      const signUp = async (userId: number, username: string, email?: string) =>
        (await store.signUp({ userId, username, email }, unbounded)).outcome;
      assert.equal(await signUp(1, 'Ann', 'Ann@Example.com'), 'created');
      assert.equal(await signUp(2, 'aNN', 'free@example.com'), 'username_taken');
      assert.equal(await signUp(2, 'bob', 'aNN@eXAMPLE.COM'), 'email_taken');
      assert.equal(await signUp(1, 'bob', 'free@example.com'), 'user_id_taken');
      assert.equal(await one(store, byName('bob')), undefined);
      assert.equal(await one(store, byId(2)), undefined);
      assert.equal(await signUp(2, 'bob', 'free@example.com'), 'created', 'what was refused is free');
      assert.equal(await signUp(5, 'zoe', 'zo\u00eb@example.com'), 'created');
      assert.equal(await signUp(6, 'chloe', 'ZOE\u0308@example.com'), 'email_taken', 'composed or not');
      assert.equal(await signUp(7, 'nikos', 'ασ@example.com'), 'created');
      assert.equal(await signUp(8, 'petros', 'ΑΣ@example.com'), 'email_taken', 'a final sigma is a sigma');
      assert.equal(await signUp(3, 'no-mail'), 'created');
      assert.equal(await signUp(4, 'no-mail-either'), 'created');
      assert.deepEqual(await one(store, byName('ann')), { username: 'Ann', userId: 1 });
    }));

  test('rules are decided in order: request id, name, e-mail, user id', () =>
    suite.withStore(async (store) => {
      const first = { userId: 1, username: 'ann', email: 'ann@example.com', request: requestKey(1) };
      assert.equal((await store.signUp(first, unbounded)).outcome, 'created');
      const attempt = async (change: Partial<SignUp>) =>
        (await store.signUp({ ...first, ...change }, unbounded)).outcome;
      assert.equal(await attempt({}), 'repeated');
      assert.equal(await attempt({ request: requestKey(1, Date.now(), 'other') }), 'request_id_reused');
      assert.equal(await attempt({ request: requestKey(2) }), 'username_taken');
      assert.equal(await attempt({ request: undefined }), 'username_taken');
      assert.equal(await attempt({ request: requestKey(2), username: 'bob' }), 'email_taken');
      assert.equal(await attempt({ request: undefined, username: 'bob', email: undefined }), 'user_id_taken');
      const free = { username: 'bob', email: 'bob@example.com' };
      assert.equal(await attempt({ ...free, request: requestKey(2) }), 'user_id_taken');
      const other = { ...free, userId: 2 };
      assert.equal(await attempt({ ...other, request: requestKey(2) }), 'created', 'a refusal spends no id');
    }));

  test('a precheck refuses what a sign-up would, in its order, and never a request id that is known', () => {
    let nowMs = Date.now();
    return suite.withStore(
      async (store) => {
        const first = { userId: 1, username: 'Ann', email: 'Ann@Example.com', request: requestKey(1, nowMs) };
        const { id: requestId } = first.request;
        const taken = { username: 'aNN', email: 'aNN@eXAMPLE.COM' };
        const precheck = (candidate: Candidate) => store.precheck(candidate, unbounded);
        assert.equal(await precheck(taken), undefined);
        assert.equal((await store.signUp(first, unbounded)).outcome, 'created');
        assert.equal(await precheck(taken), 'username_taken');
        assert.equal(await precheck({ ...taken, username: 'bob' }), 'email_taken');
        assert.equal(await precheck({ username: 'bob', email: 'bob@example.com' }), undefined);
        assert.equal(await precheck({ username: 'bob' }), undefined);
        const unknown = requestKey(2).id;
        assert.equal(await precheck({ ...taken, requestId: unknown }), 'username_taken');
        assert.equal(await precheck({ ...taken, username: 'bob', requestId: unknown }), 'email_taken');
        assert.equal(await precheck({ username: 'bob', requestId: unknown }), undefined);
        assert.equal(await precheck({ ...taken, requestId }), undefined);
        assert.equal(await precheck({ ...taken, username: 'bob', requestId }), undefined);
        assert.equal(await one(store, byName('bob')), undefined, 'it stores nothing');
        nowMs += ttlMs - 2000;
        assert.equal(await precheck({ ...taken, requestId }), undefined);
        nowMs += 4000;
        assert.equal(await precheck({ ...taken, requestId }), 'username_taken', 'the id is forgotten');
      },
      () => nowMs,
    );
  });

  test('a request id is forgotten when it expires, not before', () => {
    let nowMs = Date.now();
    return suite.withStore(
      async (store) => {
        const attempt = async (userId: number, fingerprint: string) =>
          store.signUp(
            { username: `u${userId}`, userId, request: requestKey(1, nowMs, fingerprint) },
            unbounded,
          );
        const user = { username: 'u1', userId: 1 };
        assert.deepEqual(await attempt(1, 'a'), { outcome: 'created', user });
        nowMs += ttlMs - 2000;
        assert.deepEqual(await attempt(1, 'a'), { outcome: 'repeated', user });
        assert.deepEqual(await attempt(2, 'b'), { outcome: 'request_id_reused' });
        nowMs += 4000; // a repeat does not make it last longer
        assert.deepEqual(await attempt(1, 'a'), { outcome: 'username_taken' });
        assert.equal((await attempt(2, 'b')).outcome, 'created');
        assert.equal((await attempt(2, 'b')).outcome, 'repeated');
        assert.equal((await attempt(1, 'a')).outcome, 'request_id_reused');
        assert.deepEqual(await one(store, byId(1)), user);
      },
      () => nowMs,
    );
  });

  test('a probe of a store that works ends well, and leaves nothing, also among sign-ups', () =>
    suite.withStore(async (store, data) => {
      const users = Array.from({ length: 20 }, (_, i) => ({ username: `u${i}`, userId: i + 1 }));
      const signUps = users.flatMap((user) => [store.probe(unbounded), store.signUp(user, unbounded)]);
      await Promise.all(signUps);
      await store.probe(unbounded);
      const names = users.map(({ username }) => byName(username));
      assert.deepEqual(await store.find(names, unbounded), users);
      assert.equal(await one(store, byId(0)), undefined);
      if (!suite.shared) return;
      const other = await data.open();
      try {
        await Promise.all([store.probe(unbounded), other.probe(unbounded)]);
      } finally {
        await other.close();
      }
    }));

  test('10,000 users are read in chunks, duplicates and missing ones in their places', () =>
    suite.withStore(async (store) => {
      const users = Array.from({ length: suite.usersToRead }, (_, i) => ({
        username: `User-${i}`,
        userId: i + 1,
      }));
      for (let at = 0; at < users.length; at += 100) {
        await Promise.all(users.slice(at, at + 100).map((user) => store.signUp(user, unbounded)));
      }
      const wanted = Array.from({ length: limits.maxUsersPerRequest }, (_, i) => {
        const n = (i * 7919) % (suite.usersToRead + 3); // the last three are missing
        return i % 3 === 0 ? byId(n + 1) : byName(`user-${n}`);
      });
      const expected = wanted.map(
        ({ username, userId }) => users[username ? Number(username.slice(5)) : userId - 1],
      );
      wanted.fill(byName('USER-1'), 300, 400);
      expected.fill(users[1], 300, 400);
      const found = [];
      for (let at = 0; at < wanted.length; at += limits.readChunkUsers) {
        found.push(...(await store.find(wanted.slice(at, at + limits.readChunkUsers), unbounded)));
      }
      assert.equal(found.length, expected.length);
      // One by one: the difference of two long lists takes minutes to work out.
      for (const [place, user] of found.entries()) assert.deepEqual(user, expected[place]);
    }));
}
