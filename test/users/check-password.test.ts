// Proves that CheckPassword finds the user whose password it is; that every wrong answer is the same one; that wrong
// passwords are counted, also those that come at the same time and for users who are not there, and nothing else is;
// and that a hash with older parameters is made anew, which fails no login.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { Guesses } from '../../functions/users/guesses.ts';
import { checkPasswordMethod } from '../../functions/users/methods/check-password.ts';
import { countMismatches } from '../../functions/users/mismatches.ts';
import { type ParameterSets, passwordHasher, saltOf } from '../../functions/users/password.ts';
import { StoreError, type UserStore } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { CheckPasswordRequestSchema } from '../../proto/gen/users_types_pb.js';
import { serve } from '../support/server.ts';
import { addressed, named, numbered } from './keys.ts';
import { contextOf, limitsWith, serveUsers, storeWith, usersService } from './serving.ts';
import { failureOf, outcomeOf, told, violationsOf } from './told.ts';

const password = 'open sesame';
const tom = { username: 'Tom', email: 'tom@example.com', password };
const never = AbortSignal.timeout(60_000);

describe('CheckPassword', () => {
  it('finds the user by name, address and id, in any case', async (t) => {
    const users = await serveUsers(t);
    const { user } = await users.createUser(tom);
    for (const key of [named('tOM'), addressed('TOM@example.com'), numbered(user?.userId ?? 0)])
      assert.deepEqual((await users.checkPassword({ key, password })).user, user);
  });

  it('gives one answer to all that is wrong, in every word', async (t) => {
    const store = memoryStore();
    const service = usersService({ store });
    const serving = await serve(t, { routes: (router) => router.service(Users, service) });
    const users = createClient(Users, createConnectTransport({ httpVersion: '1.1', baseUrl: serving.url }));
    await users.createUser(tom);
    await users.createUser({ username: 'open' });
    const unreadable = '$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ';
    await store.signUp({ username: 'strange', userId: 7, passwordHash: unreadable }, never);
    const failures = [];
    for (const request of [
      { key: named('tom'), password: 'open simsim' },
      { key: named('tom'), password: 'x' },
      { key: named('tom'), password: password.repeat(1000) },
      { key: named('open'), password },
      { key: named('strange'), password },
      { key: named('nobody'), password },
      { key: named('no body'), password },
      { key: addressed('nobody@example.com'), password },
      { key: addressed('@'), password },
      { key: numbered(99), password },
    ]) {
      const { code, rawMessage, metadata, details } = await failureOf(users.checkPassword(request));
      const headers = [...metadata].filter(([name]) => !['date', 'x-request-id'].includes(name));
      failures.push({ code, rawMessage, headers, details });
    }
    for (const failure of failures) assert.deepEqual(failure, failures[0]);
    const { code, reason, retryAfterMs } = told(
      await failureOf(users.checkPassword({ key: named('nobody'), password })),
    );
    assert.deepEqual([code, reason, retryAfterMs], ['Unauthenticated', 'WRONG_PASSWORD', undefined]);
  });

  it('needs a key and a password', async (t) => {
    const users = await serveUsers(t);
    assert.deepEqual(violationsOf(await failureOf(users.checkPassword({}))), [
      'key REQUIRED',
      'password REQUIRED',
    ]);
  });

  it('waits in the queue of the sign-ups', async (t) => {
    const users = await serveUsers(t, { limits: limitsWith({ maxConcurrentHashes: 1, maxQueuedHashes: 0 }) });
    const outcomes = await Promise.all(
      ['a', 'b', 'c'].map((name) => outcomeOf(users.checkPassword({ key: named(name), password }))),
    );
    assert.deepEqual(outcomes.toSorted(), ['HASHING_OVERLOADED', 'HASHING_OVERLOADED', 'WRONG_PASSWORD']);
  });
});

describe('wrong passwords', () => {
  const limits = limitsWith({ maxWrongPasswordsPerUser: 3, maxQueuedHashesPerClient: 64 });
  const wrong = 'open simsim';

  it('are counted for a user, whether there is one or not; then not even the right one is checked', async (t) => {
    const store = memoryStore();
    let reads = 0;
    const counting = storeWith({
      ...store,
      account(key, signal) {
        reads += 1;
        return store.account(key, signal);
      },
    });
    const users = await serveUsers(t, { store: counting, limits });
    await users.createUser(tom);
    for (const name of ['tom', 'nobody', 'no body']) {
      for (let guess = 0; guess < 3; guess += 1)
        assert.equal(
          await outcomeOf(users.checkPassword({ key: named(name), password: wrong })),
          'WRONG_PASSWORD',
        );
      const before = reads;
      for (const key of [named(name), named(name.toUpperCase())]) {
        const { code, reason, retryAfterMs } = told(await failureOf(users.checkPassword({ key, password })));
        assert.deepEqual([code, reason], ['ResourceExhausted', 'USER_GUESSES_SPENT']);
        assert.ok(retryAfterMs !== undefined && retryAfterMs > 0 && retryAfterMs <= 60_000);
      }
      assert.equal(reads, before);
    }
    assert.equal(await outcomeOf(users.checkPassword({ key: named('ann'), password })), 'WRONG_PASSWORD');
  });

  it('are no more when they all come at once', async (t) => {
    const users = await serveUsers(t, { limits });
    await users.createUser(tom);
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        outcomeOf(users.checkPassword({ key: named('tom'), password: `${wrong} ${i}` })),
      ),
    );
    assert.equal(outcomes.filter((it) => it === 'WRONG_PASSWORD').length, 3);
    assert.equal(outcomes.filter((it) => it === 'USER_GUESSES_SPENT').length, 27);
  });

  it('are counted, and neither right ones nor failures are', async (t) => {
    const store = memoryStore();
    let isBroken = false;
    const breaking = storeWith({
      ...store,
      async account(key, signal) {
        if (isBroken) throw new StoreError('broken', { retrySafe: true });
        return store.account(key, signal);
      },
    });
    const users = await serveUsers(t, { store: breaking, limits });
    await users.createUser(tom);
    for (let time = 0; time < 5; time += 1)
      assert.equal(await outcomeOf(users.checkPassword({ key: named('tom'), password })), 'OK');
    isBroken = true;
    for (let time = 0; time < 5; time += 1)
      assert.equal(
        await outcomeOf(users.checkPassword({ key: named('tom'), password })),
        'STORE_UNAVAILABLE',
      );
    isBroken = false;
    assert.equal(await outcomeOf(users.checkPassword({ key: named('tom'), password })), 'OK');
  });

  it('are counted for a caller, over all users, and others are let in', async (t) => {
    const users = await serveUsers(t, {
      limits: limitsWith({ maxWrongPasswordsPerCaller: 4, wrongPasswordPerCallerRefillMs: 1_000_000 }),
      clientOf: ({ requestHeader }) => requestHeader.get('x-client') ?? '',
    });
    await users.createUser(tom);
    const guess = (name: string, client: string) =>
      failureOf(
        users.checkPassword({ key: named(name), password: wrong }, { headers: { 'x-client': client } }),
      );
    for (let place = 0; place < 4; place += 1)
      assert.equal(told(await guess(`user-${place}`, 'a')).reason, 'WRONG_PASSWORD');
    const { code, reason, retryAfterMs } = told(await guess('tom', 'a'));
    assert.deepEqual([code, reason], ['ResourceExhausted', 'CALLER_GUESSES_SPENT']);
    assert.ok(retryAfterMs !== undefined && retryAfterMs > 900_000);
    assert.equal(told(await guess('tom', 'b')).reason, 'WRONG_PASSWORD');
  });

  it('are counted for a client that the caller names: the others of a page go on', async (t) => {
    const limits = limitsWith({ maxWrongPasswordsPerClient: 2, wrongPasswordPerClientRefillMs: 1_000_000 });
    const users = await serveUsers(t, { limits });
    await users.createUser(tom);
    const guess = (key: ReturnType<typeof named>, client: string) =>
      failureOf(users.checkPassword({ key, password: wrong, client }));
    for (const name of ['a', 'b']) assert.equal(told(await guess(named(name), 'x')).reason, 'WRONG_PASSWORD');
    const { code, reason } = told(await guess(named('c'), 'x'));
    assert.deepEqual([code, reason], ['ResourceExhausted', 'CLIENT_GUESSES_SPENT']);
    assert.equal(await outcomeOf(users.checkPassword({ key: named('tom'), password, client: 'y' })), 'OK');
    assert.deepEqual(violationsOf(await guess(named('a'), 'x'.repeat(129))), [
      'client INVALID_CLIENT_LENGTH',
    ]);
  });
});

describe('a hash with older parameters', () => {
  const older = { memoryKiB: 8, passes: 1, lanes: 1 };
  const current = { memoryKiB: 16, passes: 1, lanes: 1 };
  const sets: ParameterSets = [current, older];
  const limits = limitsWith();

  async function signedUp(parameters: ParameterSets[0]) {
    const store = memoryStore();
    const call = { signal: never };
    const passwordHash = await passwordHasher(limits, undefined, [parameters]).hash(
      password,
      saltOf(undefined, ''),
      call,
    );
    await store.signUp({ username: 'tom', userId: 7, passwordHash }, never);
    return store;
  }

  function check(store: UserStore, text: string) {
    const method = checkPasswordMethod({
      store,
      limits,
      hasher: passwordHasher(limits, undefined, sets),
      guesses: new Guesses(limits),
      mismatches: countMismatches(limits, Date.now),
      newUserId: () => 1,
      now: Date.now,
    });
    const request = create(CheckPasswordRequestSchema, { key: named('tom'), password: text });
    return outcomeOf(method(request, contextOf('checkPassword')));
  }

  const kept = async (store: UserStore) => {
    const account = await store.account({ userId: 7 }, never);
    return account ?? assert.fail();
  };

  it('is made anew with those of today, once, and the etag stays', async () => {
    const store = await signedUp(older);
    const before = await kept(store);
    assert.match(before.passwordHash ?? '', /m=8,/);
    assert.equal(await check(store, 'open simsim'), 'WRONG_PASSWORD');
    assert.deepEqual(await kept(store), before);
    assert.equal(await check(store, password), 'OK');
    const after = await kept(store);
    assert.match(after.passwordHash ?? '', /m=16,/);
    assert.deepEqual({ ...after, passwordHash: '' }, { ...before, passwordHash: '' });
    assert.equal(await check(store, password), 'OK');
    assert.deepEqual(await kept(store), after);
    assert.equal(await check(store, 'open simsim'), 'WRONG_PASSWORD');
  });

  it('fails no login if it can not be stored, and undoes no change that came in between', async () => {
    const store = await signedUp(older);
    const failing = storeWith({
      ...store,
      async change() {
        throw new StoreError('full', { retrySafe: true });
      },
    });
    assert.equal(await check(failing, password), 'OK');
    const racing = storeWith({
      ...store,
      async change(change, signal) {
        await store.change({ from: change.from, etag: 'changed', passwordHash: null }, signal);
        return store.change(change, signal);
      },
    });
    assert.equal(await check(racing, password), 'OK');
    assert.equal((await kept(store)).passwordHash, undefined);
  });
});
