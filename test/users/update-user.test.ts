// Proves that UpdateUser changes what its mask names, all of it or nothing and by the rules of a sign-up; that an etag
// loses no update; that repeats of a request id change nothing more, also when the user has another name by then; and
// that nothing is hashed in vain.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { addressed, named, numbered } from './keys.ts';
import { recordingStore } from './recording-store.ts';
import { limitsWith, serveUsers } from './serving.ts';
import { failureOf, outcomeOf, told, violationsOf } from './told.ts';

const tom = { username: 'tom', email: 'tom@example.com', password: 'open sesame' };
const key = named('tom');
const mask = (...paths: string[]) => ({ paths });

describe('UpdateUser', () => {
  it('changes name, address and password, and answers with the account', async (t) => {
    const users = await serveUsers(t);
    const { user } = await users.createUser(tom);
    const ann = { username: 'Ann', email: 'ann@example.com', password: 'open simsim' };
    const { account } = await users.updateUser({ key, ...ann });
    assert.deepEqual([account?.user?.username, account?.user?.userId], ['Ann', user?.userId]);
    assert.deepEqual(account, (await users.getAccount({ key: addressed('ANN@example.com') })).account);
    assert.equal(await outcomeOf(users.checkPassword({ key: named('ann'), password: ann.password })), 'OK');
    for (const old of [key, addressed(tom.email)])
      assert.equal(await outcomeOf(users.getAccount({ key: old })), 'USER_NOT_FOUND');
    assert.equal(await outcomeOf(users.createUser(tom)), 'OK', 'what it no longer has is free at once');
  });

  it('changes what the mask names alone, and removes what it names and is empty', async (t) => {
    const users = await serveUsers(t);
    await users.createUser(tom);
    const others = { username: 'not valid', email: 'ann@example.com', password: '?' };
    const { account: moved } = await users.updateUser({ key, ...others, updateMask: mask('email') });
    assert.deepEqual(
      [moved?.user?.username, moved?.email, moved?.hasPassword],
      ['tom', 'ann@example.com', true],
    );
    assert.equal(await outcomeOf(users.checkPassword({ key, password: tom.password })), 'OK');
    const { account: bare } = await users.updateUser({ key, updateMask: mask('email', 'password', 'email') });
    assert.deepEqual([bare?.user?.username, bare?.email, bare?.hasPassword], ['tom', '', false]);
    assert.equal(await outcomeOf(users.checkPassword({ key, password: tom.password })), 'WRONG_PASSWORD');
  });

  it('may write its own name otherwise', async (t) => {
    const users = await serveUsers(t);
    await users.createUser(tom);
    const { account } = await users.updateUser({ key, ...tom, username: 'TOM', email: 'TOM@example.com' });
    assert.deepEqual([account?.user?.username, account?.email], ['TOM', 'TOM@example.com']);
  });

  it('names every violation at once, by the rules of a sign-up', async (t) => {
    const users = await serveUsers(t);
    const violations = async (request: object) => violationsOf(await failureOf(users.updateUser(request)));
    assert.deepEqual(await violations({ username: ' ', email: '@', password: 'short', requestId: '?' }), [
      'key REQUIRED',
      'username INVALID_USERNAME',
      'password INVALID_PASSWORD_LENGTH',
      'email INVALID_EMAIL',
      'request_id INVALID_REQUEST_ID',
    ]);
    assert.deepEqual(await violations({ key, updateMask: mask('username') }), ['username REQUIRED']);
    for (const path of ['*', 'password.hash', 'userId', 'user_id', '', 'email,password', 'toString'])
      assert.deepEqual(await violations({ key, ...tom, updateMask: mask('email', path) }), [
        'update_mask INVALID_MASK',
      ]);
    for (const updateMask of [undefined, mask()])
      assert.deepEqual(await violations({ key, updateMask }), ['update_mask NOTHING_TO_CHANGE']);
  });

  it('fails with NOT_FOUND for who is not there, and hashes nothing', async (t) => {
    const users = await serveUsers(t, { limits: limitsWith({ maxConcurrentHashes: 1, maxQueuedHashes: 0 }) });
    const failures = await Promise.all(
      [key, named('no body'), numbered(7)].map((key) => failureOf(users.updateUser({ key, ...tom }))),
    );
    for (const { code, reason } of failures.map(told))
      assert.deepEqual([code, reason], ['NotFound', 'USER_NOT_FOUND']);
  });

  it('refuses what another has, before a password is hashed, and changes nothing', async (t) => {
    const { store, changes } = recordingStore();
    const users = await serveUsers(t, { store });
    await users.createUser(tom);
    await users.createUser({ username: 'ann', email: 'ann@example.com' });
    const { account } = await users.getAccount({ key });
    const password = 'open simsim';
    for (const [request, reason] of [
      [{ username: 'ANN', password }, 'USERNAME_TAKEN'],
      [{ email: 'ANN@example.com', password }, 'EMAIL_TAKEN'],
    ] as const)
      assert.equal(await outcomeOf(users.updateUser({ key, ...request })), reason);
    assert.equal(changes.length, 0);
    assert.equal(
      await outcomeOf(users.updateUser({ key, username: 'ann', email: 'new@example.com' })),
      'USERNAME_TAKEN',
    );
    assert.equal(
      await outcomeOf(users.updateUser({ key, username: 'new', email: 'ann@example.com' })),
      'EMAIL_TAKEN',
    );
    assert.deepEqual((await users.getAccount({ key })).account, account);
  });

  it('gives the store a random salt, another etag each time, and never the password', async (t) => {
    const { store, changes } = recordingStore();
    const users = await serveUsers(t, { store });
    await users.createUser(tom);
    for (let time = 0; time < 2; time += 1) await users.updateUser({ key, password: tom.password });
    assert.equal(new Set(changes.map((it) => it.etag)).size, 2);
    assert.equal(new Set(changes.map((it) => it.passwordHash)).size, 2);
    assert.ok(!JSON.stringify(changes).includes('sesame'));
  });
});

describe('UpdateUser with an etag', () => {
  it('changes the user that was read, and no other', async (t) => {
    const { store, changes } = recordingStore();
    const users = await serveUsers(t, { store });
    await users.createUser(tom);
    const { account } = await users.getAccount({ key });
    const etag = account?.etag;
    const { account: changed } = await users.updateUser({ key, email: 'one@example.com', etag });
    assert.notEqual(changed?.etag, etag);
    const late = { key, email: 'two@example.com', password: 'open simsim', etag };
    const { code, reason } = told(await failureOf(users.updateUser(late)));
    assert.deepEqual([code, reason], ['Aborted', 'ETAG_OUTDATED']);
    assert.equal(changes.length, 1);
    assert.equal(await outcomeOf(users.updateUser({ ...late, etag: changed?.etag })), 'OK');
  });

  it('loses no update of twenty who all read and change until they are done', async (t) => {
    const users = await serveUsers(t);
    await users.createUser({ username: 'tom', email: '0@example.com' });
    const count = async () => {
      for (;;) {
        const { account } = await users.getAccount({ key });
        const next = Number.parseInt(account?.email ?? '', 10) + 1;
        const request = { key, email: `${next}@example.com`, etag: account?.etag };
        const outcome = await outcomeOf(users.updateUser(request));
        if (outcome === 'OK') return;
        assert.equal(outcome, 'ETAG_OUTDATED');
      }
    };
    await Promise.all(Array.from({ length: 20 }, count));
    assert.equal((await users.getAccount({ key })).account?.email, '20@example.com');
  });
});

describe('UpdateUser with a request id', () => {
  const change = { key, username: 'ann', email: '', password: 'open simsim' };
  const updateMask = mask('username', 'email', 'password');

  it('changes once, however often it comes, also by the name that the user no longer has', async (t) => {
    const { store, changes } = recordingStore();
    const users = await serveUsers(t, { store });
    await users.createUser(tom);
    const { account: read } = await users.getAccount({ key });
    const request = { ...change, updateMask, etag: read?.etag ?? '', requestId: randomUUID() };
    const repeats = Array.from({ length: 5 }, () => users.updateUser(request));
    const [first, ...others] = await Promise.all(repeats);
    others.push(await users.updateUser({ ...request, requestId: request.requestId.toUpperCase() }));
    for (const other of others) assert.deepEqual(other, first);
    assert.equal(new Set(changes.map((it) => it.request?.fingerprint)).size, 1);
    await users.updateUser({ key: named('ann'), email: 'ann@example.com' });
    assert.equal((await users.updateUser(request)).account?.email, 'ann@example.com', 'what there is then');
    await users.deleteUser({ key: named('ann') });
    assert.equal(await outcomeOf(users.updateUser(request)), 'USER_NOT_FOUND');
  });

  it('is refused with other content, of any field, and in the end whatever it says', async (t) => {
    const limits = limitsWith({ maxRequestIdMismatches: 9 });
    const users = await serveUsers(t, { limits });
    await users.createUser(tom);
    const request = { ...change, updateMask, requestId: randomUUID() };
    await users.updateUser(request);
    for (const other of [
      { key: named('ann') },
      { key: addressed('tom') },
      { username: 'Ann' },
      { email: 'ann@example.com' },
      { updateMask: mask('username', 'password') },
      { updateMask: mask('username', 'email') },
      { password: 'open sesame' },
      { password: '' },
      { etag: '?' },
    ]) {
      const { code, reason } = told(await failureOf(users.updateUser({ ...request, ...other })));
      assert.deepEqual([code, reason], ['InvalidArgument', 'REQUEST_ID_REUSED'], JSON.stringify(other));
    }
    assert.equal(await outcomeOf(users.updateUser(request)), 'REQUEST_ID_SPENT');
  });

  it('is none of a sign-up, nor the other way round', async (t) => {
    const users = await serveUsers(t);
    const [ofSignUp, ofChange] = [randomUUID(), randomUUID()];
    await users.createUser({ username: 'tom', requestId: ofSignUp });
    const { requestId, ...rename } = { key, username: 'ann', requestId: ofSignUp };
    assert.equal(await outcomeOf(users.updateUser({ ...rename, requestId })), 'REQUEST_ID_REUSED');
    await users.updateUser({ ...rename, requestId: ofChange });
    const signUp = { username: 'ann', requestId: ofChange };
    assert.equal(await outcomeOf(users.createUser(signUp)), 'REQUEST_ID_REUSED');
  });
});
