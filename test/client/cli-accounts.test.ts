// Proves the commands of `users` that show, check, change, remove and list: what they send, what they print for people
// and for programs, their exit codes, and the advice where they fail.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { create, toJson } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { retryInfo } from '../../functions/rpc/index.ts';
import { ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import {
  type Account,
  AccountSchema,
  CheckPasswordRequestSchema,
  DeleteUserRequestSchema,
  GetAccountRequestSchema,
  ListUsersRequestSchema,
  type UpdateUserRequest,
  UpdateUserRequestSchema,
  type UserKey,
} from '../../proto/gen/users_types_pb.js';
import { UsersCommand } from './command.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let users: UsersCommand;
/** The latest requests, as JSON. */
let asked: unknown;
let updated: UpdateUserRequest;
const pageTokens: string[] = [];

const alexa: Account = create(AccountSchema, {
  user: { username: 'Alexa', userId: 7 },
  email: 'alexa@example.com',
  hasPassword: true,
  createdAt: timestampFromMs(Date.UTC(2026, 10, 27, 20)),
  etag: 'e1',
});

function refusal(code: Code, reason: string, retryAfterMs?: number): ConnectError {
  const error = new ConnectError(`it is ${reason}`, code);
  error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: 'users' } });
  if (retryAfterMs !== undefined) error.details.push(retryInfo(retryAfterMs));
  return error;
}

/** Names of users who make a method fail. */
function refuse(key: UserKey | undefined): void {
  switch (key?.key.value) {
    case 'nobody':
      throw refusal(Code.NotFound, 'USER_NOT_FOUND');
    case 'changed':
      throw refusal(Code.Aborted, 'ETAG_OUTDATED');
    case 'beside':
      throw refusal(Code.PermissionDenied, 'BESIDE_PROXY');
    case 'foreign':
      throw refusal(Code.PermissionDenied, 'FOREIGN_HOST');
    case 'unscoped':
      throw refusal(Code.PermissionDenied, 'MISSING_SCOPE');
    case 'broken':
      throw new ConnectError('the disk is full', Code.Internal);
  }
}

before(async () => {
  server = await startServer({
    getAccount(request) {
      asked = toJson(GetAccountRequestSchema, request);
      refuse(request.key);
      if (request.key?.key.value === 'bare')
        return { account: { user: { username: 'b\u009bare', userId: 8 } } };
      return { account: alexa };
    },
    checkPassword(request) {
      asked = toJson(CheckPasswordRequestSchema, request);
      const { password } = request;
      if (password === 'stranger') throw refusal(Code.Unauthenticated, 'NO_CREDENTIALS');
      if (password === 'expired') throw refusal(Code.Unauthenticated, 'EXPIRED_CREDENTIALS');
      if (password === 'spent') throw refusal(Code.ResourceExhausted, 'USER_GUESSES_SPENT', 59_100);
      if (password !== 'correct horse') throw refusal(Code.Unauthenticated, 'WRONG_PASSWORD');
      return { user: alexa.user };
    },
    updateUser(request) {
      updated = request;
      asked = toJson(UpdateUserRequestSchema, { ...request, requestId: '' });
      refuse(request.key);
      return { account: alexa };
    },
    deleteUser(request) {
      asked = toJson(DeleteUserRequestSchema, request);
      if (request.key?.key.value === 'nobody') return {};
      refuse(request.key);
      return { user: alexa.user };
    },
    listUsers(request) {
      asked = toJson(ListUsersRequestSchema, request);
      pageTokens.push(request.pageToken);
      const at = Number(request.pageToken || 0);
      const user = [at, at + 1].map((n) => ({ username: `u${n}`, userId: n === 0 ? 4294967295 : n }));
      return { user, nextPageToken: at < 4 ? String(at + 2) : '' };
    },
  });
  users = new UsersCommand(server.endpoint);
});

after(async () => {
  users[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const accountBlock = `name       Alexa
id         7
e-mail     alexa@example.com
password   set
signed up  2026-11-27T20:00:00.000Z
etag       e1
`;

for (const [who, key] of [
  ['alexa', { username: 'alexa' }],
  ['7', { userId: 7 }],
  ['name:7', { username: '7' }],
  ['4294967296', { username: '4294967296' }],
  ['Alexa@Example.com', { email: 'Alexa@Example.com' }],
] as const) {
  test(`account ${who} asks by ${Object.keys(key)}, and shows all that is kept`, async () => {
    assert.deepEqual(await users.run(['account', who]), { out: accountBlock, err: '', code: 0 });
    assert.deepEqual(asked, { key });
  });
}

test('account says what there is not, and steers no terminal', async () => {
  const { out } = await users.run(['account', 'bare']);
  assert.equal(
    out,
    'name       b\\u009bare\nid         8\ne-mail     none\npassword   none\nsigned up  not known\netag       \n',
  );
});

test('account --json is what the service said', async () => {
  const { out } = await users.run(['account', 'alexa', '--json']);
  assert.deepEqual(JSON.parse(out), { account: toJson(AccountSchema, alexa) });
  assert.equal(out.trim().split('\n').length, 1);
});

test('check takes the password from standard input; another one is exit code 1, and no matter of tokens', async () => {
  const right = await users.run(['check', 'alexa@example.com', '--password-stdin'], {
    input: 'correct horse\n',
  });
  assert.deepEqual(right, { out: 'The password is that of Alexa (id 7)\n', err: '', code: 0 });
  assert.deepEqual(asked, { key: { email: 'alexa@example.com' }, password: 'correct horse' });
  const json = await users.run(['check', '7', '--password-stdin', '--json'], { input: 'correct horse' });
  assert.equal(json.out, '{"user":{"username":"Alexa","userId":7}}\n');
  assert.deepEqual(await users.run(['check', 'alexa', '--password-stdin'], { input: 'guess' }), {
    out: '',
    err: 'UNAUTHENTICATED: it is WRONG_PASSWORD\n',
    code: 1,
  });
  const stranger = await users.run(['check', 'alexa', '--password-stdin'], { input: 'stranger' });
  assert.equal(stranger.code, 16, 'that of the caller is another matter');
  assert.match((await users.run(['--help'])).out, /check has 1 for\s+a wrong password/);
});

test('the advice for UNAUTHENTICATED is about the credential that is missing or refused', async () => {
  const run = (input: string) => users.run(['check', 'alexa', '--password-stdin'], { input });
  assert.match((await run('stranger')).err, /\n {2}Put a key or token into the environment as USERS_TOKEN/);
  assert.match((await run('expired')).err, /\n {2}The token from USERS_TOKEN or --token-file was refused/);
});

for (const [who, advice] of [
  ['beside', 'Call the name of that proxy, such as a CloudFront distribution, with --endpoint.'],
  ['foreign', "Call it as localhost, by its IP address or by the machine's own name, with --endpoint."],
  ['unscoped', 'Ask who operates the service for a key or token with the scope that is named.'],
] as const) {
  test(`the advice for PERMISSION_DENIED is about what is denied: ${who}`, async () => {
    const { err, code } = await users.run(['account', who]);
    assert.match(err, /^PERMISSION_DENIED: /);
    assert.ok(err.endsWith(`\n  ${advice}\n`), err);
    assert.equal(code, 7);
  });
}

test('too many wrong passwords: exit code 8, and when to try again', async () => {
  assert.deepEqual(await users.run(['check', 'alexa', '--password-stdin'], { input: 'spent' }), {
    out: '',
    err: 'RESOURCE_EXHAUSTED: it is USER_GUESSES_SPENT\n  Try again in 60 s.\n',
    code: 8,
  });
});

for (const [args, input, request] of [
  [['--name', 'tom'], '', { username: 'tom', updateMask: 'username' }],
  [['--email', 'a@b.c'], '', { email: 'a@b.c', updateMask: 'email' }],
  [['--no-email'], '', { updateMask: 'email' }],
  [['--password-stdin'], 'new password\n', { password: 'new password', updateMask: 'password' }],
  [['--no-password', '--etag', 'e1'], '', { updateMask: 'password', etag: 'e1' }],
  [
    ['--name', 'tom', '--email', 'a@b.c', '--password-stdin'],
    'new password',
    { username: 'tom', email: 'a@b.c', password: 'new password', updateMask: 'username,email,password' },
  ],
] as const) {
  test(`update ${args.join(' ')} changes that alone, and shows what is kept afterwards`, async () => {
    const result = await users.run(['update', '7', ...args], { input });
    assert.deepEqual(result, { out: accountBlock, err: '', code: 0 });
    assert.deepEqual(asked, { key: { userId: 7 }, ...request });
    assert.match(updated.requestId, /^[0-9a-f-]{36}$/);
  });
}

test('update --json, and --request-id', async () => {
  const id = '11111111-2222-4333-8444-555555555555';
  const { out } = await users.run(['update', 'alexa', '--name', 'a', '--json', '--request-id', id]);
  assert.deepEqual(JSON.parse(out), { account: toJson(AccountSchema, alexa) });
  assert.equal(updated.requestId, id);
});

test('an update whose end is not known can be repeated; an etag that is outdated can not', async () => {
  const broken = await users.run(['update', 'broken', '--no-email']);
  assert.equal(
    broken.err,
    `INTERNAL: the disk is full\n  The user may have been changed. The same command finds out, or tries again, with\n    --request-id ${updated.requestId}\n`,
  );
  assert.equal(broken.code, 13);
  const changed = await users.run(['update', 'changed', '--no-email', '--etag', 'e0']);
  assert.equal(
    changed.err,
    'ABORTED: it is ETAG_OUTDATED\n  See with users account what there is now, decide again, and give its etag.\n',
  );
  assert.equal(changed.code, 10);
  const { err, code } = await users.run(['account', 'nobody']);
  assert.deepEqual([err, code], ['NOT_FOUND: it is USER_NOT_FOUND\n', 5]);
});

test('delete says who was removed, and that there was nobody; exit code 0 for both', async () => {
  assert.deepEqual(await users.run(['delete', '7', '--etag', 'e1']), {
    out: 'User removed: Alexa (id 7)\n',
    err: '',
    code: 0,
  });
  assert.deepEqual(asked, { key: { userId: 7 }, etag: 'e1' });
  assert.deepEqual(await users.run(['delete', 'nobody']), {
    out: 'There was no such user\n',
    err: '',
    code: 0,
  });
  assert.equal((await users.run(['delete', 'nobody', '--json'])).out, '{}\n');
  assert.equal((await users.run(['delete', 'changed', '--etag', 'e0'])).code, 10);
  const { err } = await users.run(['delete', 'broken']);
  assert.match(err, /\n {2}The user may have been removed\. The same command finds out, or tries again\.\n$/);
});

test('list shows the users of all pages; --limit takes no page more than it needs', async () => {
  const all = await users.run(['list', '--prefix', 'u']);
  assert.equal(
    all.out,
    [
      'u0                    id 4294967295',
      ...[1, 2, 3, 4, 5].map((n) => `u${n}                    id ${n}`),
      '',
    ].join('\n'),
  );
  assert.deepEqual(asked, { pageSize: 1000, pageToken: '4', usernamePrefix: 'u' });
  pageTokens.length = 0;
  const some = await users.run(['list', '--limit', '2', '--json']);
  assert.equal(some.out, '{"username":"u0","userId":4294967295}\n{"username":"u1","userId":1}\n');
  assert.deepEqual(asked, { pageSize: 2 });
  assert.deepEqual(pageTokens, ['']);
});

for (const [args, message] of [
  [['account'], /missing required argument 'who'/],
  [['account', ''], /one of them is empty/],
  [['check', 'alexa'], /required option '--password-stdin'/],
  [['update', 'alexa'], /say what to change: --name, --email/],
  [['update', 'alexa', '--email', ''], /--email is empty: --no-email removes it/],
  [
    ['update', 'alexa', '--no-password', '--password-stdin'],
    /'--password-stdin' cannot be used with .*--no-pas/,
  ],
  [['update', 'alexa', '--email', 'a@b.c', '--no-email'], /'--email <address>' cannot be used with .*--no-e/],
  [['update', 'alexa', '--no-email', '--email', 'a@b.c'], /'--email <address>' cannot be used with .*--no-e/],
  [['delete', 'name:'], /one of them is empty/],
  [['list', '--limit', '0'], /Write a number from 1/],
  [['list', '--limit', 'all'], /Write a number from 1/],
] as [string[], RegExp][]) {
  test(`wrong usage is exit code 64, before anything is sent: users ${args.join(' ')}`, async () => {
    const before = server.sockets.length;
    const { out, err, code } = await users.run(args);
    assert.deepEqual([out, code], ['', 64]);
    assert.match(err, message);
    assert.equal(server.sockets.length, before);
  });
}
