// Who wins when many sign up at once, also at several servers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { byId, byName, one, outcomes, requestKey, type Suite, unbounded } from './contract-setting.ts';

/** Many callers at once. */
export function races(suite: Suite): void {
  test('many sign up one name at once: exactly one wins, and the others leave nothing', () =>
    suite.withStore(async (store, data) => {
      const servers = suite.shared ? [store, await data.open()] : [store];
      try {
        const signUps = Array.from({ length: 60 }, (_, i) => ({
          username: i % 2 ? 'Popular' : 'popular',
          userId: i + 1,
          email: `${i}@example.com`,
        }));
        const results = await Promise.all(
          signUps.map((signUp, i) => (servers[i % servers.length] ?? store).signUp(signUp, unbounded)),
        );
        assert.deepEqual(outcomes(results), { created: 1, username_taken: 59 });
        const winner = signUps[results.findIndex(({ outcome }) => outcome === 'created')];
        const { username, userId } = (await one(store, byName('POPULAR'))) ?? {};
        assert.deepEqual([username, userId], [winner?.username, winner?.userId]);
        const ids = await store.find(
          signUps.map((signUp) => byId(signUp.userId)),
          unbounded,
        );
        assert.equal(ids.filter((user) => user).length, 1);
        const losers = signUps.filter((signUp) => signUp !== winner);
        const again = await Promise.all(
          losers.map((loser, i) => store.signUp({ ...loser, username: `second-${i}` }, unbounded)),
        );
        assert.deepEqual(outcomes(again), { created: 59 }, 'their ids and addresses are free');
      } finally {
        await servers[1]?.close();
      }
    }));

  test('many sign up with one e-mail address, or one user id, at once: exactly one wins', () =>
    suite.withStore(async (store) => {
      const signUps = Array.from({ length: 20 }, (_, i) => ({ username: `u${i}`, userId: i + 1 }));
      const mail = await Promise.all(
        signUps.map((signUp) => store.signUp({ ...signUp, email: 'one@example.com' }, unbounded)),
      );
      assert.deepEqual(outcomes(mail), { created: 1, email_taken: 19 });
      const id = await Promise.all(
        signUps.map(({ username }) => store.signUp({ username: `id-${username}`, userId: 99 }, unbounded)),
      );
      assert.deepEqual(outcomes(id), { created: 1, user_id_taken: 19 });
    }));

  test('a precheck refuses no repeat while the first of them is being stored, not even at another server', () =>
    suite.withStore(async (store, data) => {
      const other = suite.shared ? await data.open() : store;
      try {
        for (let round = 1; round <= 20; round++) {
          const signUp = { username: `Ann${round}`, email: `${round}@x.org`, request: requestKey(round) };
          const candidate = { ...signUp, requestId: signUp.request.id };
          let underWay = true;
          const stored = store.signUp({ ...signUp, userId: round }, unbounded).finally(() => {
            underWay = false;
          });
          do {
            const prechecks = Array.from({ length: 4 }, () => other.precheck(candidate, unbounded));
            assert.deepEqual(await Promise.all(prechecks), Array(4).fill(undefined));
            await nextTurn();
          } while (underWay);
          assert.equal((await stored).outcome, 'created');
          const stranger = { ...candidate, requestId: undefined };
          assert.equal(await other.precheck(stranger, unbounded), 'username_taken', 'known at once');
        }
      } finally {
        if (other !== store) await other.close();
      }
    }));

  test('of many whom a precheck lets through at once exactly one signs up', () =>
    suite.withStore(async (store, data) => {
      const servers = suite.shared ? [store, await data.open()] : [store];
      try {
        const outcomes = await Promise.all(
          Array.from({ length: 40 }, async (_, i) => {
            const server = servers[i % servers.length] ?? store;
            const signUp = { username: i % 2 ? 'Popular' : 'popular', userId: i + 1 };
            const refusal = await server.precheck(signUp, unbounded);
            return refusal ?? (await server.signUp(signUp, unbounded)).outcome;
          }),
        );
        assert.deepEqual(outcomes.toSorted(), ['created', ...Array(39).fill('username_taken')]);
      } finally {
        await servers[1]?.close();
      }
    }));

  test('one request id from many at once: one user, everybody gets it', () =>
    suite.withStore(async (store, data) => {
      const servers = suite.shared ? [store, await data.open()] : [store];
      try {
        for (let round = 1; round <= 5; round++) {
          const request = requestKey(round);
          const results = await Promise.all(
            Array.from({ length: 40 }, (_, i) => {
              const signUp = {
                username: `Ann${round}`,
                userId: round * 1000 + i,
                email: `${round}@x.org`,
                request,
              };
              return (servers[i % servers.length] ?? store).signUp(signUp, unbounded);
            }),
          );
          assert.deepEqual(outcomes(results), { created: 1, repeated: 39 });
          const user = await one(store, byName(`ann${round}`));
          assert.ok(user);
          for (const result of results) assert.deepEqual('user' in result && result.user, user);
        }
      } finally {
        await servers[1]?.close();
      }
    }));
}
