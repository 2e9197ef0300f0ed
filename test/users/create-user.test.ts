// Proves what CreateUser answers through a real server and a real client: a stored user with a random id, each
// error with its code, reason and details, one user for all repeats of a request id, and no secret in any answer
// or fingerprint. Faults of the store, which a real one has only by chance, come from one in memory.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { Code } from '@connectrpc/connect';
import { BadRequestSchema } from '../../functions/rpc/index.ts';
import { type SignUp, StoreError } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { limitsWith, serveUsers, storeWith } from './serving.ts';
import { failureOf, told } from './told.ts';

/** A store in memory that tells which sign-ups it gets. */
function recordingStore(now?: () => number) {
  const store = memoryStore({ now });
  const signUps: SignUp[] = [];
  return {
    signUps,
    store: storeWith({
      ...store,
      signUp(signUp, signal) {
        signUps.push(signUp);
        return store.signUp(signUp, signal);
      },
    }),
  };
}

describe('CreateUser', () => {
  it('stores a user under a random id, and its name as it was written', async (t) => {
    const users = await serveUsers(t);
    const { user: tom } = await users.createUser({ username: 'Tom' });
    const { user: ann } = await users.createUser({ username: 'ann' });
    assert.equal(tom?.username, 'Tom');
    assert.ok(tom.userId > 0);
    assert.notEqual(tom.userId, ann?.userId);
  });

  it('names every violation at once', async (t) => {
    const users = await serveUsers(t);
    const error = await failureOf(
      users.createUser({ username: '', password: 'short', email: '@', requestId: '?' }),
    );
    assert.deepEqual(
      error.findDetails(BadRequestSchema)[0]?.fieldViolations.map((it) => it.field),
      ['username', 'password', 'email', 'request_id'],
    );
    assert.equal(told(error).code, 'InvalidArgument');
    assert.equal(told(error).reason, 'INVALID_FIELDS');
  });

  it('refuses a name or an address that is taken, whatever its case', async (t) => {
    const users = await serveUsers(t);
    await users.createUser({ username: 'Tom', email: 'tom@example.com' });
    const name = told(await failureOf(users.createUser({ username: 'tOM' })));
    assert.deepEqual(
      [name.code, name.reason, name.retryAfterMs],
      ['AlreadyExists', 'USERNAME_TAKEN', undefined],
    );
    const email = told(await failureOf(users.createUser({ username: 'thomas', email: 'TOM@example.com' })));
    assert.deepEqual(
      [email.code, email.reason, email.retryAfterMs],
      ['AlreadyExists', 'EMAIL_TAKEN', undefined],
    );
  });

  it('refuses what is taken before a password is hashed, and what is taken meanwhile after it', async (t) => {
    const { store, signUps } = recordingStore();
    const users = await serveUsers(t, { store });
    const tom = { username: 'Tom', email: 'tom@example.com', password: 'open sesame' };
    const calls = await Promise.allSettled([1, 2].map(() => users.createUser(tom)));
    const [loser] = calls.filter((it) => it.status === 'rejected').map((it) => told(it.reason).reason);
    assert.equal(loser, 'USERNAME_TAKEN');
    assert.equal(signUps.length, 2, 'both were hashed, one was first');
    const others = [
      { ...tom, username: 'tOM', requestId: randomUUID() },
      { ...tom, username: 'thomas' },
    ];
    const reasons = [];
    for (const other of others) reasons.push(told(await failureOf(users.createUser(other))).reason);
    assert.deepEqual(reasons, ['USERNAME_TAKEN', 'EMAIL_TAKEN']);
    assert.equal(signUps.length, 2, 'no more hashes');
  });

  it('answers every repeat of a request id with the first result, also in upper case', async (t) => {
    const users = await serveUsers(t);
    const request = {
      username: 'tom',
      email: 'tom@example.com',
      password: 'open sesame',
      requestId: randomUUID(),
    };
    const repeats = Array.from({ length: 5 }, () => users.createUser(request));
    const ids = new Set((await Promise.all(repeats)).map((it) => it.user?.userId));
    const late = await users.createUser({ ...request, requestId: request.requestId.toUpperCase() });
    ids.add(late.user?.userId);
    assert.equal(ids.size, 1);
  });

  it('refuses a request id that comes with other content, of any field', async (t) => {
    const users = await serveUsers(t);
    const request = {
      username: 'tom',
      email: 'tom@example.com',
      password: 'open sesame',
      requestId: randomUUID(),
    };
    await users.createUser(request);
    const others = [{ username: 'Tom' }, { email: '' }, { email: 'x@example.com' }, { password: '' }];
    for (const other of [...others, { password: 'open simsim' }]) {
      const { code, reason } = told(await failureOf(users.createUser({ ...request, ...other })));
      assert.deepEqual([code, reason], ['InvalidArgument', 'REQUEST_ID_REUSED'], JSON.stringify(other));
    }
  });

  it('answers nothing more about a request id that comes with other content too often, until it expires', async (t) => {
    let nowMs = 1_000_000;
    const { store, signUps } = recordingStore(() => nowMs);
    const limits = limitsWith({ maxRequestIdMismatches: 3, requestIdTtlMs: 1000 });
    const users = await serveUsers(t, { store, limits, now: () => nowMs });
    const request = { username: 'tom', email: 'tom@example.com', requestId: randomUUID() };
    const other = { username: 'ann', requestId: randomUUID() };
    await users.createUser(request);
    await users.createUser(other);
    const guess = async (email: string) => told(await failureOf(users.createUser({ ...request, email })));
    for (let i = 0; i < 3; i += 1) assert.equal((await guess(`${i}@x.org`)).reason, 'REQUEST_ID_REUSED');
    const asked = signUps.length;
    const right = told(await failureOf(users.createUser(request)));
    assert.deepEqual(right, await guess('wrong@x.org'), 'what is right can not be told from what is wrong');
    const { code, reason, retryAfterMs } = right;
    assert.deepEqual([code, reason, retryAfterMs], ['ResourceExhausted', 'REQUEST_ID_SPENT', undefined]);
    const upperCase = { ...request, requestId: request.requestId.toUpperCase(), password: 'open sesame' };
    assert.equal(told(await failureOf(users.createUser(upperCase))).reason, 'REQUEST_ID_SPENT');
    assert.equal(signUps.length, asked, 'nothing was compared');
    assert.equal((await users.createUser(other)).user?.username, 'ann', 'other ids are as they were');
    nowMs += 1000;
    assert.equal(told(await failureOf(users.createUser(request))).reason, 'USERNAME_TAKEN');
  });

  it('tells no more of a request id to those who guess all at once', async (t) => {
    const store = memoryStore();
    const allCompared = Promise.withResolvers<void>();
    let compared = 0;
    const gated = storeWith({
      ...store,
      async signUp(signUp, signal) {
        const result = await store.signUp(signUp, signal);
        if (result.outcome === 'created') return result;
        compared += 1;
        if (compared === 51) allCompared.resolve();
        await allCompared.promise;
        return result;
      },
    });
    const users = await serveUsers(t, { store: gated });
    const request = { username: 'tom', email: 'tom@example.com', requestId: randomUUID() };
    await users.createUser(request);
    const guesses = Array.from({ length: 50 }, (_, i) => ({ ...request, email: `${i}@x.org` }));
    const calls = [...guesses, request].map((it) => failureOf(users.createUser(it)));
    const reasons = (await Promise.all(calls)).map((it) => told(it).reason);
    assert.equal(reasons.filter((it) => it === 'REQUEST_ID_REUSED').length, 5);
    assert.equal(reasons.filter((it) => it === 'REQUEST_ID_SPENT').length, 46);
  });

  it('tells fields apart, so that none can stand in for another in the fingerprint', async (t) => {
    const { store, signUps } = recordingStore();
    const users = await serveUsers(t, { store });
    const email = '"@b';
    await users.createUser({ username: 'a', email, requestId: randomUUID() });
    await users.createUser({ username: 'b', requestId: randomUUID() });
    await users.createUser({ username: 'a.b', requestId: randomUUID() });
    assert.equal(new Set(signUps.map((it) => it.request?.fingerprint)).size, 3);
  });

  it('gives the store what it needs, and never the password', async (t) => {
    const { store, signUps } = recordingStore();
    const now = () => 1_000_000;
    const users = await serveUsers(t, { store, now, limits: limitsWith({ requestIdTtlMs: 500 }) });
    const requestId = randomUUID();
    await users.createUser({ username: 'tom', password: 'open sesame', requestId });
    await users.createUser({ username: 'ann', password: 'open sesame' });
    await users.createUser({ username: 'bob', password: 'open sesame' });
    await users.createUser({ username: 'joe' });
    const [tom, ann, bob, joe] = signUps;
    assert.match(tom?.passwordHash ?? '', /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    assert.equal(tom?.request?.id, requestId);
    assert.equal(tom?.request?.expiresAtMs, 1_000_500);
    assert.equal(ann?.passwordHash?.length, bob?.passwordHash?.length);
    assert.notEqual(ann?.passwordHash, bob?.passwordHash, 'salts are random');
    assert.equal(ann?.request, undefined);
    assert.equal(joe?.passwordHash, undefined);
    assert.equal(joe?.email, undefined);
    assert.ok(!JSON.stringify(signUps).includes('sesame'));
  });

  it('salts by user too when the request id decides, so that equal passwords do not show', async (t) => {
    const { store, signUps } = recordingStore();
    const users = await serveUsers(t, { store });
    const requestId = randomUUID();
    await users.createUser({ username: 'tom', password: 'open sesame', requestId });
    await failureOf(users.createUser({ username: 'ann', password: 'open sesame', requestId }));
    const [tom, ann] = signUps;
    assert.notEqual(tom?.passwordHash, ann?.passwordHash);
  });

  it('draws another id when the first is taken, and gives up in the end', async (t) => {
    const ids = [7, 7, 7, 8, 7];
    const users = await serveUsers(t, {
      newUserId: () => ids.shift() ?? 7,
      limits: limitsWith({ maxUserIdAttempts: 3 }),
    });
    assert.equal((await users.createUser({ username: 'first' })).user?.userId, 7);
    assert.equal((await users.createUser({ username: 'second' })).user?.userId, 8);
    const { code, reason, retryAfterMs } = told(await failureOf(users.createUser({ username: 'third' })));
    assert.deepEqual([code, reason, retryAfterMs], ['Unavailable', 'USER_IDS_EXHAUSTED', 1000]);
  });

  it('says that passwords queue, and after how long to come again', async (t) => {
    const users = await serveUsers(t, { limits: limitsWith({ maxConcurrentHashes: 1, maxQueuedHashes: 0 }) });
    const calls = await Promise.allSettled(
      ['a', 'b', 'c'].map((username) => users.createUser({ username, password: 'open sesame' })),
    );
    const failed = calls.filter((it) => it.status === 'rejected').map((it) => told(it.reason));
    assert.equal(failed.length, 2);
    for (const { code, reason, retryAfterMs } of failed) {
      assert.deepEqual([code, reason, retryAfterMs], ['Unavailable', 'HASHING_OVERLOADED', 1000]);
    }
  });
});

describe('CreateUser, when the store does not answer,', () => {
  it('passes on whether and when a retry is safe, and nothing else', async (t) => {
    let retrySafe = true;
    const store = storeWith({
      async signUp() {
        throw new StoreError('disk 7 is full', { retrySafe, retryAfterMs: 2500 });
      },
    });
    const users = await serveUsers(t, { store });
    const safe = told(await failureOf(users.createUser({ username: 'tom' })));
    assert.deepEqual([safe.code, safe.reason, safe.retryAfterMs], ['Unavailable', 'STORE_UNAVAILABLE', 2500]);
    assert.ok(!safe.message.includes('disk'));
    retrySafe = false;
    assert.equal(told(await failureOf(users.createUser({ username: 'tom' }))).retryAfterMs, undefined);
  });

  it('says that a retry is safe where it does not even know whether the name is taken', async (t) => {
    const store = storeWith({ precheck: () => new Promise(() => {}) });
    const users = await serveUsers(t, { store, limits: limitsWith({ storeTimeoutMs: 20 }) });
    const error = told(await failureOf(users.createUser({ username: 'tom', password: 'open sesame' })));
    assert.deepEqual([error.reason, error.retryAfterMs], ['STORE_UNAVAILABLE', 1000]);
  });

  it('gives a store that hangs up after its time; a retry is safe if a request id was sent', async (t) => {
    const signals: AbortSignal[] = [];
    const store = storeWith({
      signUp(_, signal) {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    const users = await serveUsers(t, { store, limits: limitsWith({ storeTimeoutMs: 20 }) });
    const without = told(await failureOf(users.createUser({ username: 'tom' })));
    assert.deepEqual([without.reason, without.retryAfterMs], ['STORE_UNAVAILABLE', undefined]);
    const withId = told(await failureOf(users.createUser({ username: 'tom', requestId: randomUUID() })));
    assert.deepEqual([withId.reason, withId.retryAfterMs], ['STORE_UNAVAILABLE', 1000]);
    assert.ok(signals.length === 2 && signals.every((it) => it.aborted), 'the store is told to stop');
  });

  it('answers DEADLINE_EXCEEDED when the deadline comes first', async (t) => {
    const store = storeWith({ signUp: () => new Promise(() => {}) });
    const users = await serveUsers(t, { store });
    const error = await failureOf(users.createUser({ username: 'tom' }, { timeoutMs: 30 }));
    assert.equal(Code[error.code], 'DeadlineExceeded');
  });

  it('leaves a fault of its own to the server: INTERNAL, without its message', async (t) => {
    const store = storeWith({
      async signUp() {
        throw new TypeError('secret of the house');
      },
    });
    const error = await failureOf((await serveUsers(t, { store })).createUser({ username: 'tom' }));
    assert.equal(Code[error.code], 'Internal');
    assert.ok(!error.message.includes('secret'));
  });
});
