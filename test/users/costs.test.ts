// Proves what each call costs of its caller's quota, by the table in functions/users/costs.ts and by docs/limits.md,
// also through /users/; and that it is paid before a user is read or a password hashed.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../../functions/rpc/index.ts';
import { costOfListUsers, costOfPassword, costs } from '../../functions/users/costs.ts';
import type { UserStore } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { usersResource } from '../../functions/web/users.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { page, rowsOf } from '../docs/tables.ts';
import { all, endsWith } from '../support/outcome.ts';
import { serve } from '../support/server.ts';
import { clientOf } from '../support/transports.ts';
import { named } from './keys.ts';
import { limitsWith, storeWith, usersService } from './serving.ts';

/** Serves Users to clients with one token each, and one more in each second of the clock. */
async function serveUsers(
  t: TestContext,
  store: UserStore,
  clock: { nowMs: number },
  interceptors: Interceptor[] = [],
) {
  const limits = limitsWith({ tokensPerSecondPerCaller: 1, maxTokensPerCaller: 1 });
  const service = usersService({ store, limits });
  return serve(t, {
    routes: (router) => router.service(Users, service),
    limits,
    interceptors,
    trustedProxies: 1,
    now: () => clock.nowMs,
    http: (local) => [usersResource(createClient(Users, local))],
  });
}

type Called = ReturnType<typeof clientOf<typeof Users>>;
type From = { readonly headers: Record<string, string> };

const someone = (count: number) => Array.from({ length: count }, (_, i) => ({ userId: i + 1 }));
const password = 'open sesame';
const ignored = () => {};

describe('a call of Users', () => {
  const cases: [string, number, (users: Called, from: From, url: string) => Promise<unknown>][] = [
    ['a sign-up', 1, (users, from) => users.createUser({ username: 'ann' }, from)],
    ['a sign-up with a password', 50, (users, from) => users.createUser({ username: 'bob', password }, from)],
    ['one whose name is taken', 50, (users, from) => users.createUser({ username: 'tom', password }, from)],
    ['one that is not valid', 1, (users, from) => users.createUser({ username: '', password }, from)],
    ['a check', 50, (users, from) => users.checkPassword({ key: named('tom'), password }, from)],
    ['a check of nobody', 50, (users, from) => users.checkPassword({ key: named('joe'), password }, from)],
    ['an account', 1, (users, from) => users.getAccount({ key: named('tom') }, from)],
    ['a change', 1, (users, from) => users.updateUser({ key: named('tom'), email: 'tom@x.org' }, from)],
    ['one with a password', 50, (users, from) => users.updateUser({ key: named('tom'), password }, from)],
    [
      'one whose mask names no password',
      1,
      (users, from) =>
        users.updateUser({ key: named('tom'), password, updateMask: { paths: ['email'] } }, from),
    ],
    ['a removal', 1, (users, from) => users.deleteUser({ key: named('ann') }, from)],
    ['a page', 18, (users, from) => users.listUsers({}, from)],
    ['a page of one', 18, (users, from) => users.listUsers({ pageSize: 1 }, from)],
    ['one of a prefix', 1, (users, from) => users.listUsers({ pageSize: 1, usernamePrefix: 't' }, from)],
    ['11 of a prefix', 2, (users, from) => users.listUsers({ pageSize: 11, usernamePrefix: 't' }, from)],
    ['a page of more than there may be', 100, (users, from) => users.listUsers({ pageSize: 9_999 }, from)],
    ['no user', 1, (users, from) => all(users.getUsers({ user: [] }, from))],
    ['one user', 1, (users, from) => all(users.getUsers({ user: someone(1) }, from))],
    ['1,000 users', 1_000, (users, from) => all(users.getUsers({ user: someone(1_000) }, from))],
    ['10,000 users', 10_000, (users, from) => all(users.getUsers({ user: someone(10_000) }, from))],
    ['10,001 users', 1, (users, from) => all(users.getUsers({ user: someone(10_001) }, from))],
    ['/users/', 2, (_, from, url) => fetch(`${url}/users/`, from)],
    [
      '/users/ with three users',
      3,
      (_, { headers }, url) => fetch(`${url}/users/?user_id=1&user_id=2&user_id=3`, { headers }),
    ],
  ];

  it('costs what the table says, through /users/ too', async (t) => {
    const clock = { nowMs: 0 };
    const serving = await serveUsers(t, memoryStore(), clock);
    const users = clientOf(Users, serving, { protocol: 'grpc', http: '2' });
    await users.createUser({ username: 'tom' });
    for (const [place, [name, tokens, call]] of cases.entries()) {
      const headers = { 'x-forwarded-for': `192.0.2.${place}`, connection: 'close' };
      const from = { headers: { 'x-forwarded-for': headers['x-forwarded-for'] } };
      const answer = await call(users, name.startsWith('/') ? { headers } : from, serving.url).catch(ignored);
      if (answer instanceof Response) await answer.text();
      // A bucket of one token is as many seconds from its next as was spent of it. The time that is told is rounded up.
      clock.nowMs += tokens * 1_000 - 1;
      const error = await endsWith(Code.ResourceExhausted, all(users.getUsers({ user: [] }, from)));
      assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, 'QUOTA_EXCEEDED', name);
      clock.nowMs += 1;
      await all(users.getUsers({ user: [] }, from));
    }
  });

  it('is paid for before anything is read', async (t) => {
    let reads = 0;
    const store = storeWith({
      find: async (wanted) => {
        reads += 1;
        return wanted.map(() => undefined);
      },
      precheck: () => assert.fail('it was read'),
    });
    const begun: string[] = [];
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const interceptor: Interceptor = (next) => async (request) => {
      begun.push(request.method.name);
      await (request.method.name === 'GetUsers' ? first : second).promise;
      return next(request);
    };
    const limits = limitsWith({ tokensPerSecondPerCaller: 1, maxTokensPerCaller: 2 });
    const serving = await serve(t, {
      routes: (router) => router.service(Users, usersService({ store, limits })),
      limits,
      interceptors: [interceptor],
      now: () => 0,
    });
    const users = clientOf(Users, serving, { protocol: 'grpc', http: '2' });
    const read = all(users.getUsers({ user: someone(100) }));
    const signUp = users.createUser({ username: 'ann', password });
    signUp.catch(ignored);
    first.resolve();
    await read;
    second.resolve();
    const error = await endsWith(Code.ResourceExhausted, signUp);
    assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, 'QUOTA_EXCEEDED');
    assert.ok(error instanceof ConnectError);
    assert.deepEqual([reads, begun.toSorted()], [1, ['CreateUser', 'GetUsers']]);
  });

  it('costs at least what every call does, whatever the size of a page', () => {
    for (const size of [1, 9, 10]) assert.equal(costOfListUsers(size, 'a'), 0);
    assert.equal(costOfListUsers(11, 'a'), 1);
    for (const size of [1, 180]) assert.equal(costOfListUsers(size, ''), costs.allNamesTokens - 1);
    assert.equal(costOfListUsers(181, ''), costs.allNamesTokens);
  });

  it('costs what docs/limits.md says', () => {
    assert.deepEqual(
      rowsOf(page('limits.md'), 'What calls cost').map(([, tokens]) => tokens),
      [
        String(costs.callTokens + costOfPassword({ password: '' })),
        String(costs.callTokens + costOfPassword({ password })),
        String(costs.passwordTokens),
        String(costs.callTokens + costOfPassword({})),
        String(costs.passwordTokens),
        String(costs.callTokens),
        String(costs.callTokens),
        `1 for each ${costs.listedUsersPerToken} users that the page may have, at least ${costs.callTokens} with a prefix and ${costs.allNamesTokens} without`,
        `${costs.userTokens} for each user, at least ${costs.callTokens}`,
        '0',
        `${costs.callTokens} for each question; the first is free where it is open`,
      ],
    );
  });
});
