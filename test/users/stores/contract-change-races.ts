// Who wins when many change, rename and remove at once, also at several servers: no change is lost, no name has two.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreError } from '../../../functions/users/store.ts';
import {
  atServers,
  idOf,
  kept,
  outcomes,
  requestKey,
  type Suite,
  signedUp,
  unbounded,
} from './contract-setting.ts';

/** A store may say that it is busy; then the call did nothing, and is made again. */
async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreError && error.retrySafe)) throw error;
    }
  }
}

const many = Array.from({ length: 40 }, (_, i) => i);

/** Many callers at once, who change what is there. */
export function changeRaces(suite: Suite): void {
  test('many change one user as they have all read it: exactly one wins, and the others change nothing', () =>
    atServers(suite, async (at) => {
      const from = await signedUp(at(0), { username: 'ann', userId: 1 });
      const results = await Promise.all(
        many.map((i) =>
          untilAnswered(() => at(i).change({ from, etag: `e${i}`, username: `ann-${i}` }, unbounded)),
        ),
      );
      assert.deepEqual(outcomes(results), { changed: 1, outdated: 39 });
      const winner = results.findIndex(({ outcome }) => outcome === 'changed');
      const account = { userId: 1, username: `ann-${winner}`, etag: `e${winner}` };
      assert.deepEqual(await kept(at(1), { userId: 1 }), account);
      for (const i of many) {
        assert.equal(await idOf(at(i), { username: `ann-${i}` }), i === winner ? 1 : undefined);
      }
      assert.equal(await idOf(at(1), { username: 'ann' }), undefined);
    }));

  test('many read and change one user again and again: no change is lost', () =>
    atServers(suite, async (at) => {
      await signedUp(at(0), { username: 'ann', userId: 1, passwordHash: '0' });
      await Promise.all(
        many.slice(0, 8).map(async (caller) => {
          for (let made = 0; made < 4; ) {
            const store = at(caller);
            const from = await untilAnswered(() => kept(store, { userId: 1 }));
            const change = {
              from,
              etag: `${caller}-${made}`,
              passwordHash: String(Number(from.passwordHash) + 1),
            };
            const { outcome } = await untilAnswered(() => store.change(change, unbounded));
            if (outcome === 'changed') made += 1;
            else assert.equal(outcome, 'outdated');
          }
        }),
      );
      assert.equal((await kept(at(0), { userId: 1 })).passwordHash, String(8 * 4));
    }));

  test('of many who name the user the last one wins, where the store does not compare etags; by a name given up, none', () =>
    atServers(suite, async (at) => {
      const from = await signedUp(at(0), { username: 'ann', userId: 1, email: '0@x.org' });
      const change = (i: number) => {
        const latest = i % 2 ? { username: 'ANN' } : { userId: 1 };
        return untilAnswered(() =>
          at(i).change({ from, latest, etag: `e${i}`, email: `${i}@x.org` }, unbounded),
        );
      };
      const results = await Promise.all(many.map(change));
      const { changed = 0, outdated = 0 } = outcomes(results);
      assert.equal(changed + outdated, many.length);
      assert.ok(changed === many.length || (suite.name === 'DynamoDB' && changed > 0), `${changed} changed`);
      const now = await kept(at(1), { userId: 1 });
      assert.ok(results.some((it) => it.outcome === 'changed' && it.account.etag === now.etag));
      for (const i of many) {
        const expected = now.email === `${i}@x.org` ? 1 : undefined;
        assert.equal(await idOf(at(i), { email: `${i}@x.org` }), expected);
      }
      const renamed = await at(0).change({ from: now, etag: 'renamed', username: 'zoe' }, unbounded);
      assert.ok(renamed.outcome === 'changed');
      await signedUp(at(0), { username: 'ann', userId: 2 });
      const late = { from: now, latest: { username: 'ann' } };
      assert.equal(
        (await at(1).change({ ...late, etag: 'late', passwordHash: '$' }, unbounded)).outcome,
        'outdated',
      );
      assert.equal(await at(1).remove({ ...late, heldUntilMs: 0 }, unbounded), false);
      assert.equal((await kept(at(1), { userId: 1 })).etag, 'renamed');
      assert.equal((await kept(at(1), { userId: 2 })).passwordHash, undefined);
    }));

  test('many take one name at once, by a change or by a sign-up: exactly one gets it', () =>
    atServers(suite, async (at) => {
      const accounts = await Promise.all(
        many.map((i) => signedUp(at(i), { username: `u${i}`, userId: i + 1, email: `${i}@x.org` })),
      );
      const results = await Promise.all(
        accounts.map(async (from, i) => {
          const username = i % 3 ? 'Popular' : 'popular';
          const signUp = { username, userId: 1000 + i };
          const change = { from, etag: 'next', username };
          return i % 4 === 0
            ? untilAnswered(() => at(i).signUp(signUp, unbounded))
            : untilAnswered(() => at(i).change(change, unbounded));
        }),
      );
      const winners = results.filter(({ outcome }) => outcome === 'created' || outcome === 'changed');
      assert.equal(winners.length, 1);
      assert.equal(outcomes(results).username_taken, many.length - 1);
      const owner = await kept(at(0), { username: 'popular' });
      for (const [i, before] of accounts.entries()) {
        const now = await kept(at(i), { userId: before.userId });
        assert.deepEqual(now, now.userId === owner.userId ? owner : before);
        assert.equal(
          await idOf(at(i), { username: before.username }),
          now.username === before.username ? before.userId : undefined,
        );
      }
      const mails = await Promise.all(
        accounts.map(async ({ userId }, i) => {
          const from = await kept(at(i), { userId });
          return untilAnswered(() => at(i).change({ from, etag: 'mail', email: 'one@x.org' }, unbounded));
        }),
      );
      assert.deepEqual(outcomes(mails), { changed: 1, email_taken: 39 });
    }));

  test('users who swap their names at once never share one, and keep one each', () =>
    atServers(suite, async (at) => {
      const ann = await signedUp(at(0), { username: 'ann', userId: 1 });
      const bob = await signedUp(at(1), { username: 'bob', userId: 2 });
      const results = await Promise.all([
        untilAnswered(() => at(0).change({ from: ann, etag: '1', username: 'bob' }, unbounded)),
        untilAnswered(() => at(1).change({ from: bob, etag: '1', username: 'ann' }, unbounded)),
      ]);
      assert.deepEqual(outcomes(results), { username_taken: 2 });
      assert.deepEqual(await kept(at(1), { username: 'ann' }), ann);
      assert.deepEqual(await kept(at(0), { username: 'bob' }), bob);
    }));

  test('one request id from many changes at once: one is made, and everybody can know it', () =>
    atServers(suite, async (at) => {
      const from = await signedUp(at(0), { username: 'ann', userId: 1 });
      const request = requestKey(1);
      const results = await Promise.all(
        many.map((i) =>
          untilAnswered(() => at(i).change({ from, etag: `e${i}`, username: 'zoe', request }, unbounded)),
        ),
      );
      assert.deepEqual(outcomes(results), { changed: 1, request_id_known: 39 });
      for (const i of [0, 1])
        assert.deepEqual(await at(i).recall(request.id, unbounded), { fingerprint: 'content', userId: 1 });
    }));

  test('a user whom many remove and change at once is removed once, or changed, never both from one reading', () =>
    atServers(suite, async (at) => {
      for (let round = 1; round <= 5; round++) {
        const from = await signedUp(at(round), {
          username: `u${round}`,
          userId: round,
          email: `${round}@x.org`,
        });
        const results = await Promise.all(
          many.map(async (i) => {
            if (i % 2) {
              const heldUntilMs = Date.now() + 60_000;
              return untilAnswered(() => at(i >> 1).remove({ from, heldUntilMs }, unbounded));
            }
            const change = { from, etag: `e${i}`, username: `changed-${round}` };
            return (await untilAnswered(() => at(i >> 1).change(change, unbounded))).outcome;
          }),
        );
        const wins = results.filter((result) => result === true || result === 'changed');
        assert.equal(wins.length, 1, String(wins));
        const isGone = wins[0] === true;
        assert.equal(await idOf(at(0), { userId: round }), isGone ? undefined : round);
        assert.equal(await idOf(at(1), { email: `${round}@x.org` }), isGone ? undefined : round);
        const held = isGone ? 'username_taken' : undefined;
        assert.equal(await at(1).precheck({ username: `u${round}` }, unbounded), held);
      }
    }));
}
