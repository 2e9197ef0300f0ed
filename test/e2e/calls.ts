import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { UsersError } from '../../client/client.ts';
import { type Way, ways } from '../support/transports.ts';
import { test } from './home.ts';
import { open, type Target, uniqueName } from './target.ts';
import { webRequest } from './web.ts';

/** Proves sign-up, look-up and errors with their details, in every protocol. */
export function proveCalls(target: () => Target): void {
  for (const way of ways) {
    test(`${way.name}: a user signs up and is found; who is missing is named; order and duplicates are kept`, async () => {
      using client = open(target(), way);
      const username = uniqueName();
      const { user } = await client.createUser({
        username,
        email: `${username}@example.com`,
        password: 'correct horse',
      });
      assert.equal(user?.username, username);
      assert.ok(user.userId > 0);
      const nobody = uniqueName();
      const asked = [
        { username },
        { username: nobody },
        { userId: user.userId },
        { username: username.toUpperCase() },
        { username },
      ];
      const found: string[] = [];
      for await (const { result } of client.getUsers({ user: asked })) {
        found.push(`${result.case} ${result.value?.username}`);
      }
      assert.deepEqual(found, [
        `user ${username}`,
        `missing ${nobody}`,
        `user ${username}`,
        `user ${username}`,
        `user ${username}`,
      ]);
      for await (const _ of client.getUsers({})) assert.fail('nobody was asked for');
    });

    test(`${way.name}: bad input is answered with every violation`, async () => {
      const error = await failure(way, (client) =>
        client.createUser({ username: '-', password: 'short', email: 'x' }),
      );
      assert.equal(error.code, Code.InvalidArgument);
      assert.equal(error.reason, 'INVALID_FIELDS');
      assert.deepEqual(error.violations.map(({ field }) => field).sort(), ['email', 'password', 'username']);
      for (const { description, reason } of error.violations) assert.ok(description && reason);
    });

    test(`${way.name}: a taken name or e-mail is refused with the reason`, async () => {
      using client = open(target(), way);
      const username = uniqueName();
      const email = `${username}@example.com`;
      await client.createUser({ username, email });
      const name = await failure(way, () => client.createUser({ username: username.toUpperCase() }));
      assert.deepEqual([name.code, name.reason], [Code.AlreadyExists, 'USERNAME_TAKEN']);
      const mail = await failure(way, () => client.createUser({ username: uniqueName(), email }));
      assert.deepEqual([mail.code, mail.reason], [Code.AlreadyExists, 'EMAIL_TAKEN']);
    });

    test(`${way.name}: a request_id makes a sign-up repeatable, with the same content only`, async () => {
      using client = open(target(), way);
      const request = { username: uniqueName(), password: 'correct horse', requestId: randomUUID() };
      const first = await client.createUser(request);
      const again = await client.createUser(request);
      assert.equal(again.user?.userId, first.user?.userId);
      const error = await failure(way, () => client.createUser({ ...request, password: 'another one' }));
      assert.deepEqual([error.code, error.reason], [Code.InvalidArgument, 'REQUEST_ID_REUSED']);
    });
  }

  test('one name, many clients at once: exactly one wins', async () => {
    const username = uniqueName();
    const ends = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        using client = open(target(), ways[n % ways.length]);
        return await client.createUser({ username }).then(
          () => 'created',
          (error: UsersError) => error.reason,
        );
      }),
    );
    assert.deepEqual(ends.sort(), [...Array.from({ length: 9 }, () => 'USERNAME_TAKEN'), 'created']);
  });

  test('the web page streams the same users, one line of JSON each', async () => {
    using client = open(target(), { protocol: 'connect', httpVersion: '1.1' });
    const username = uniqueName();
    const { user } = await client.createUser({ username });
    const { status, body } = await webRequest(
      target(),
      `/users/?username=${username}&user_id=${user?.userId}`,
    );
    assert.equal(status, 200, body);
    const lines = body.trim().split('\n');
    assert.equal(lines.length, 2);
    for (const line of lines) assert.ok(line.includes(`"${username}"`), line);
  });

  async function failure(
    way: Way,
    call: (client: ReturnType<typeof open>) => Promise<unknown>,
  ): Promise<UsersError> {
    using client = open(target(), way);
    const error = await call(client).then(
      () => assert.fail('the call succeeded'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof UsersError);
    return error;
  }
}
