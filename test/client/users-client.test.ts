// Proves what the typed client adds to the methods of Users: request ids where a repeat needs one, retries of what may
// be repeated and of nothing else, and all pages of a list as one, which are asked for as they are read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { createUsersClient, type UsersClient, type UsersError } from '../../client/client.ts';
import { ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import type { ListUsersRequest, UpdateUserRequest } from '../../proto/gen/users_types_pb.js';
import { startServer } from './server.ts';

const key = { key: { case: 'userId' as const, value: 7 } };
const retry = { initialBackoffMs: 1, maxBackoffMs: 2 };

/** The calls of Users that are one request and one answer. */
const calls: Readonly<Record<string, (client: UsersClient) => Promise<unknown>>> = {
  createUser: (client) => client.createUser({ username: 'tom' }),
  checkPassword: (client) => client.checkPassword({ key, password: 'correct horse' }),
  getAccount: (client) => client.getAccount({ key }),
  updateUser: (client) => client.updateUser({ key, email: 'tom@example.com' }),
  deleteUser: (client) => client.deleteUser({ key }),
  listUsers: (client) => client.listUsers({}),
};

function refusal(code: Code, reason: string): ConnectError {
  return new ConnectError('refused', code, undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: 'users' } },
  ]);
}

for (const [name, call] of Object.entries(calls)) {
  test(`${name} is repeated while the server is not available, whatever it may have done`, async () => {
    let attempts = 0;
    const answer = () => {
      if (++attempts < 3) throw new ConnectError('the store is away', Code.Unavailable);
      return {};
    };
    await using server = await startServer({ [name]: answer });
    using client = createUsersClient({ endpoint: server.endpoint, retry });
    await call(client);
    assert.equal(attempts, 3);
  });

  for (const [code, reason] of [
    [Code.Aborted, 'ETAG_OUTDATED'],
    [Code.Unauthenticated, 'WRONG_PASSWORD'],
    [Code.NotFound, 'USER_NOT_FOUND'],
  ] as const) {
    test(`${name} is not repeated after ${reason}`, async () => {
      let attempts = 0;
      const answer = () => {
        attempts++;
        throw refusal(code, reason);
      };
      await using server = await startServer({ [name]: answer });
      using client = createUsersClient({ endpoint: server.endpoint, retry });
      await assert.rejects(call(client), { code, reason });
      assert.equal(attempts, 1);
    });
  }
}

test('updateUser sends one request_id with all attempts, another with each call, and the own one of the caller', async () => {
  const seen: UpdateUserRequest[] = [];
  await using server = await startServer({
    updateUser(request) {
      seen.push(request);
      if (seen.length === 1) throw new ConnectError('the store is away', Code.Unavailable);
      return {};
    },
  });
  using client = createUsersClient({ endpoint: server.endpoint, retry });
  const request = { key, updateMask: { paths: ['email', 'password'] }, etag: 'e' };
  await client.updateUser(request);
  await client.updateUser(request);
  await client.updateUser({ ...request, requestId: 'mine' });
  const ids = seen.map((it) => it.requestId);
  assert.match(ids[0] ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.equal(ids[1], ids[0]);
  assert.notEqual(ids[2], ids[0]);
  assert.equal(ids[3], 'mine');
  for (const { updateMask, etag } of seen) {
    assert.deepEqual([updateMask?.paths, etag], [['email', 'password'], 'e']);
  }
});

/** Serves pages of names; the token of a page is its number. Returns what was asked. */
async function servePages(pages: readonly (readonly string[])[]) {
  const asked: ListUsersRequest[] = [];
  const headers: (string | null)[] = [];
  const server = await startServer({
    listUsers(request, { requestHeader }) {
      asked.push(request);
      headers.push(requestHeader.get('x-why'));
      const page = Number(request.pageToken || 0);
      const user = (pages[page] ?? []).map((username, index) => ({ username, userId: index + 1 }));
      return { user, nextPageToken: page + 1 < pages.length ? String(page + 1) : '' };
    },
  });
  return { server, asked, headers };
}

async function namesOf(users: AsyncIterable<{ username: string }>): Promise<string[]> {
  const names: string[] = [];
  for await (const { username } of users) names.push(username);
  return names;
}

test('listAllUsers reads all pages, also past one that is empty, with the request and the options of each', async () => {
  const { server, asked, headers } = await servePages([['a', 'b'], [], ['c']]);
  await using _ = server;
  using client = createUsersClient({ endpoint: server.endpoint });
  const users = client.listAllUsers(
    { usernamePrefix: 'x', pageSize: 2 },
    { headers: { 'x-why': 'to know' } },
  );
  assert.equal(asked.length, 0, 'nothing is asked before it is read');
  assert.deepEqual(await namesOf(users), ['a', 'b', 'c']);
  assert.deepEqual(
    asked.map((it) => [it.usernamePrefix, it.pageSize, it.pageToken]),
    [
      ['x', 2, ''],
      ['x', 2, '1'],
      ['x', 2, '2'],
    ],
  );
  assert.deepEqual(headers, ['to know', 'to know', 'to know']);
  assert.deepEqual(await namesOf(client.listAllUsers({ pageToken: '2' })), ['c']);
  assert.deepEqual(await namesOf(client.listAllUsers()), ['a', 'b', 'c']);
});

test('listAllUsers asks for no page that nobody reads', async () => {
  const { server, asked } = await servePages([['a', 'b'], ['c']]);
  await using _ = server;
  using client = createUsersClient({ endpoint: server.endpoint });
  for await (const { username } of client.listAllUsers()) if (username === 'b') break;
  assert.equal(asked.length, 1);
});

test('listAllUsers throws what a page throws, after the users before it', async () => {
  await using server = await startServer({
    listUsers({ pageToken }) {
      if (pageToken !== '') throw refusal(Code.InvalidArgument, 'INVALID_FIELDS');
      return { user: [{ username: 'a', userId: 1 }], nextPageToken: 'n' };
    },
  });
  using client = createUsersClient({ endpoint: server.endpoint });
  const names: string[] = [];
  const read = async () => {
    for await (const { username } of client.listAllUsers()) names.push(username);
  };
  await assert.rejects(read, (error: UsersError) => error.reason === 'INVALID_FIELDS');
  assert.deepEqual(names, ['a']);
});
