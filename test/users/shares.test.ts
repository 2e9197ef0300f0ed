// However many sign-ups one client sends, others sign up beside it: one that sends many with passwords fills its own
// share of the queue for hashes alone, that of the caller where it is known, and a taken name costs no hash at all,
// whoever sends it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, shareOf } from '../../functions/rpc/index.ts';
import { scopes } from '../../functions/users/scopes.ts';
import { as, byName } from '../support/callers.ts';
import { limitsWith, serveUsers } from './serving.ts';

const password = 'open sesame';
/** As a load balancer tells clients apart. */
const from = (client: string) => ({ headers: { 'x-client': client } });

function reasonOf(error: unknown): string | undefined {
  assert.ok(error instanceof ConnectError, `not a ConnectError: ${error}`);
  return error.findDetails(ErrorInfoSchema)[0]?.reason;
}

test('one client with 500 sign-ups does not keep another from its sign-ups', async (t) => {
  const limits = limitsWith({ maxConcurrentHashes: 1, maxQueuedHashes: 64, maxQueuedHashesPerClient: 16 });
  const users = await serveUsers(t, {
    limits,
    clientOf: ({ requestHeader }) => requestHeader.get('x-client') ?? '',
  });
  let left = 500;
  const greedy = Array.from({ length: 100 }, async () => {
    const reasons: (string | undefined)[] = [];
    while (left-- > 0) {
      const call = users.createUser({ username: `greedy-${left}`, password }, from('greedy'));
      await call.catch((error: unknown) => reasons.push(reasonOf(error)));
    }
    return reasons;
  });
  const others = Array.from({ length: 14 }, (_, i) =>
    users.createUser({ username: `other-${i}`, password }, from(`other-${i % 3}`)),
  );
  await Promise.all(others);
  const refused = new Set((await Promise.all(greedy)).flat());
  assert.deepEqual([...refused], ['HASHING_OVERLOADED']);
});

test('one caller with many addresses has one share, and another behind the same address has its own', async (t) => {
  const limits = limitsWith({ maxConcurrentHashes: 1, maxQueuedHashes: 64, maxQueuedHashesPerClient: 4 });
  const auth = { scopes, ways: [byName] };
  const users = await serveUsers(t, { limits, clientOf: shareOf }, { auth, trustedProxies: 1 });
  const signUp = (caller: string, place: number) =>
    users.createUser(
      { username: `${caller}-${place}`, password },
      as(caller, { 'x-forwarded-for': `192.0.2.${place}` }),
    );
  const greedy = Promise.allSettled(Array.from({ length: 40 }, (_, place) => signUp('greedy', place)));
  await Promise.all([0, 1, 2, 3].map((place) => signUp('modest', place)));
  const refused = (await greedy).filter((it) => it.status === 'rejected');
  // By address, each would have room.
  assert.deepEqual([...new Set(refused.map((it) => reasonOf(it.reason)))], ['HASHING_OVERLOADED']);
});

test('sign-ups of one taken name, more than could be hashed, do not keep others from theirs', async (t) => {
  const users = await serveUsers(t, { limits: limitsWith({ maxConcurrentHashes: 1, maxQueuedHashes: 14 }) });
  await users.createUser({ username: 'popular' });
  let stop = false;
  const refusals = Array.from({ length: 50 }, async () => {
    for (let calls = 0; !stop || calls === 0; calls += 1) {
      const call = users.createUser({ username: 'Popular', password });
      const error = await call.then(
        () => assert.fail('the name was given twice'),
        (error: unknown) => error,
      );
      assert.ok(error instanceof ConnectError);
      assert.deepEqual([Code[error.code], reasonOf(error)], ['AlreadyExists', 'USERNAME_TAKEN']);
    }
  });
  const others = Array.from({ length: 14 }, (_, i) => users.createUser({ username: `other-${i}`, password }));
  const signedUp = await Promise.allSettled(others);
  stop = true;
  await Promise.all(refusals);
  assert.deepEqual(new Set(signedUp.map((it) => it.status)), new Set(['fulfilled']));
});
