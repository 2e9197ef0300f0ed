import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import type { UsersClient, UsersError } from '../../client/client.ts';
import { ways } from '../support/transports.ts';
import { test } from './home.ts';
import { made, open, type Target, uniqueName } from './target.ts';
import { webRequest } from './web.ts';

const password = 'correct horse';
const another = 'battery staple';
/** More than one user may guess at each of a few servers, until all of them have enough. */
const manyGuesses = 60;

/** More than an index needs to learn of a user. */
const indexPatienceMs = 10_000;

/** Proves that users can log in, be looked at, changed, removed and listed, in every protocol. */
export function proveAccounts(target: () => Target): void {
  for (const way of ways) {
    test(`${way.name}: a password is known by name, id and e-mail; all else is the same refusal`, async () => {
      using client = open(target(), way);
      const { username, email, userId } = await signUp(client, { password });
      for (const key of [byName(username.toUpperCase()), byId(userId), byEmail(email.toUpperCase())]) {
        const { user } = await client.checkPassword({ key, password });
        assert.deepEqual([user?.username, user?.userId], [username, userId]);
      }
      const without = await signUp(client);
      const refused = [
        await failure(client.checkPassword({ key: byName(username), password: another })),
        await failure(client.checkPassword({ key: byName(without.username), password })),
        await failure(client.checkPassword({ key: byName(uniqueName()), password })),
        await failure(client.checkPassword({ key: byName('-'), password })),
        await failure(client.checkPassword({ key: byEmail('nobody@example.com'), password })),
      ];
      for (const error of refused) {
        assert.deepEqual([error.code, error.reason], [Code.Unauthenticated, 'WRONG_PASSWORD']);
        assert.equal(error.message, refused[0]?.message);
      }
    });

    test(`${way.name}: a user is changed as the mask says, and not once it is another than was read`, async () => {
      using client = open(target(), way);
      const { username, email, userId } = await signUp(client, { password });
      const key = byId(userId);
      const { account } = await client.getAccount({ key });
      assert.deepEqual(
        [account?.user?.username, account?.email, account?.hasPassword],
        [username, email, true],
      );
      assert.ok(account?.createdAt && account.etag);
      const newName = uniqueName();
      const { etag } = account;
      const request = { key, username: newName, password: another, email: 'of no account', etag };
      const changed = await client.updateUser({
        ...request,
        updateMask: { paths: ['username', 'password'] },
      });
      assert.deepEqual([changed.account?.user?.username, changed.account?.email], [newName, email]);
      assert.deepEqual(changed.account?.createdAt, account.createdAt);
      assert.notEqual(changed.account?.etag, etag);
      assert.deepEqual((await client.getAccount({ key: byName(newName) })).account, changed.account);
      const gone = await failure(client.getAccount({ key: byName(username) }));
      assert.deepEqual([gone.code, gone.reason], [Code.NotFound, 'USER_NOT_FOUND']);
      await client.checkPassword({ key, password: another });
      assert.equal((await failure(client.checkPassword({ key, password }))).reason, 'WRONG_PASSWORD');

      const lost = await failure(client.updateUser({ key, email: `x${email}`, etag }));
      assert.deepEqual([lost.code, lost.reason], [Code.Aborted, 'ETAG_OUTDATED']);
      const bare = await client.updateUser({ key, updateMask: { paths: ['email', 'password'] } });
      assert.deepEqual([bare.account?.email, bare.account?.hasPassword], ['', false]);
      assert.equal((await client.updateUser({ key, email })).account?.email, email, 'it was free at once');
    });

    test(`${way.name}: a request_id makes a change repeatable, and a repeat changes nothing more`, async () => {
      using client = open(target(), way);
      const { userId, email } = await signUp(client);
      const request = { key: byId(userId), email: `first.${email}`, requestId: randomUUID() };
      await client.updateUser(request);
      await client.updateUser({ key: byId(userId), email: `second.${email}` });
      assert.equal((await client.updateUser(request)).account?.email, `second.${email}`);
      const error = await failure(client.updateUser({ ...request, email: `third.${email}` }));
      assert.deepEqual([error.code, error.reason], [Code.InvalidArgument, 'REQUEST_ID_REUSED']);
    });

    test(`${way.name}: a user who is removed is gone, and may be removed again`, async () => {
      using client = open(target(), way);
      const { username, email, userId } = await signUp(client, { password });
      const etag = 'of another';
      assert.equal((await failure(client.deleteUser({ key: byId(userId), etag }))).reason, 'ETAG_OUTDATED');
      const { user } = await client.deleteUser({ key: byId(userId) });
      assert.deepEqual([user?.username, user?.userId], [username, userId]);
      for (const key of [byId(userId), byName(username), byEmail(email)]) {
        assert.equal((await client.deleteUser({ key })).user, undefined);
        assert.equal((await failure(client.getAccount({ key }))).code, Code.NotFound);
        assert.equal((await failure(client.checkPassword({ key, password }))).reason, 'WRONG_PASSWORD');
      }
      for await (const { result } of client.getUsers({ user: [{ username }, { userId }] })) {
        assert.equal(result.case, 'missing');
      }
    });

    test(`${way.name}: users are listed in the order of their names, page by page`, async () => {
      using client = open(target(), way);
      const prefix = uniqueName();
      const names = ['-a', '-B', '-c', '-c1', '-D'].map((end) => made(`${prefix}${end}`));
      await Promise.all(names.map((username) => client.createUser({ username })));
      for (const pageSize of [1, 2, 5, 0]) {
        const request = { usernamePrefix: `${prefix.toUpperCase()}-`, pageSize };
        assert.deepEqual(await listed(client, request, names.length), names, `${pageSize} a page`);
      }
      const first = await client.listUsers({ usernamePrefix: `${prefix}-`, pageSize: 2 });
      assert.ok(first.user.length <= 2);
      const { nextPageToken: pageToken } = first;
      for (const request of [
        { usernamePrefix: 'another', pageToken },
        { usernamePrefix: `${prefix}-`, pageToken: 'made up' },
      ]) {
        const error = await failure(client.listUsers(request));
        assert.deepEqual([error.code, error.violations[0]?.field], [Code.InvalidArgument, 'page_token']);
      }
    });

    test(`${way.name}: requests that can't be meant are answered with every violation`, async () => {
      using client = open(target(), way);
      const key = byName('tom');
      for (const [call, fields] of [
        [() => client.checkPassword({}), ['key', 'password']],
        [() => client.getAccount({ key: { key: { case: 'username', value: '' } } }), ['key']],
        [() => client.deleteUser({}), ['key']],
        [() => client.updateUser({ key, updateMask: { paths: ['user_id'] } }), ['update_mask']],
        [() => client.updateUser({ key }), ['update_mask']],
        [() => client.updateUser({ key, email: 'x', password: 'short' }), ['email', 'password']],
        [() => client.listUsers({ usernamePrefix: '*' }), ['username_prefix']],
      ] as const) {
        const error = await failure(call());
        assert.deepEqual([error.code, error.reason], [Code.InvalidArgument, 'INVALID_FIELDS']);
        assert.deepEqual(error.violations.map(({ field }) => field).sort(), fields);
      }
    });
  }

  test('one user, many changes at once with the etag that all have read: exactly one is made', async () => {
    using client = open(target());
    const { userId, email } = await signUp(client);
    const key = byId(userId);
    const etag = (await client.getAccount({ key })).account?.etag;
    const ends = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        client.updateUser({ key, email: `${n}.${email}`, etag }).then(
          () => 'changed',
          (error: UsersError) => error.reason,
        ),
      ),
    );
    assert.deepEqual(ends.sort(), [...Array.from({ length: 7 }, () => 'ETAG_OUTDATED'), 'changed']);
  });

  test('guessing passwords of one user, who need not exist, is slowed down, and others are not', async () => {
    using client = open(target(), { retry: { maxAttempts: 1 } });
    const key = byName(uniqueName());
    let error: UsersError | undefined;
    for (let guess = 0; guess < manyGuesses && error?.code !== Code.ResourceExhausted; guess++) {
      error = await failure(client.checkPassword({ key, password }));
    }
    assert.deepEqual([error?.code, error?.reason], [Code.ResourceExhausted, 'USER_GUESSES_SPENT']);
    assert.ok((error?.retryAfterMs ?? 0) > 0);
    const other = await failure(client.checkPassword({ key: byName(uniqueName()), password }));
    assert.equal(other.reason, 'WRONG_PASSWORD');
  });

  test('JSON by hand: a mask is a text, a time is as in RFC 3339, and what is neither is refused', async () => {
    using client = open(target());
    const { userId } = await signUp(client, { password });
    const headers = { 'content-type': 'application/json' };
    const send = (request: object) =>
      webRequest(target(), '/Users/UpdateUser', headers, JSON.stringify({ key: { userId }, ...request }));
    const { status, body } = await send({ updateMask: 'email,password' });
    assert.equal(status, 200, body);
    const { account } = JSON.parse(body);
    assert.match(account.createdAt, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/);
    assert.deepEqual([account.email, account.hasPassword], [undefined, undefined]);
    for (const updateMask of [['email'], { paths: ['email'] }, 7, 'e_mail']) {
      const refused = await send({ updateMask });
      assert.equal(refused.status, 400, refused.body);
      assert.match(
        JSON.parse(refused.body).message,
        /users\.UpdateUserRequest\.update_mask must be one text/,
      );
    }
  });
}

/** Signs a user up with a name and an address of its own. */
async function signUp(client: UsersClient, more: { password?: string } = {}) {
  const username = uniqueName();
  const email = `${username}@example.com`;
  const { user } = await client.createUser({ username, email, ...more });
  return { username, email, userId: user?.userId ?? assert.fail('there is no user') };
}

/**
 * The names that a request lists, on all pages. The index of a distributed store learns of new users a little later
 * than whoever signs them up, so it is asked until it has as many.
 */
async function listed(
  client: UsersClient,
  request: { usernamePrefix: string; pageSize: number },
  count: number,
): Promise<string[]> {
  const patient = AbortSignal.timeout(indexPatienceMs);
  for (;;) {
    const names: string[] = [];
    for await (const { username } of client.listAllUsers(request)) names.push(username);
    if (names.length >= count || patient.aborted) return names;
  }
}

function byName(value: string) {
  return { key: { case: 'username' as const, value } };
}

function byId(value: number) {
  return { key: { case: 'userId' as const, value } };
}

function byEmail(value: string) {
  return { key: { case: 'email' as const, value } };
}

async function failure(call: Promise<unknown>): Promise<UsersError> {
  return call.then(
    () => assert.fail('the call succeeded'),
    (error: UsersError) => error,
  );
}
