// Proves the `users` command as a person meets it, a process of its own: what it prints and when, what it sends, and
// its exit codes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import type { CreateUserRequest } from '../../proto/gen/users_types_pb.js';
import { UsersCommand } from './command.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let users: UsersCommand;
let headers: Headers;
let created: CreateUserRequest;
let status = Status.SERVING;
/** Ends the stream of the test that waits for it. */
const proceed = Promise.withResolvers<void>();

before(async () => {
  server = await startServer(
    {
      async createUser(request, context) {
        headers = context.requestHeader;
        created = request;
        context.responseHeader.set('x-request-id', 'r1');
        context.responseHeader.set('x-control', 'a\u009b1m');
        context.responseTrailer.set('x-cost', '3');
        if (request.username.startsWith('a\u007f')) {
          throw new ConnectError(`${request.username} is bad`, Code.InvalidArgument);
        }
        if (request.username === 'broken') throw new ConnectError('the disk is full', Code.Internal);
        if (request.username === 'slow') await once(context.signal, 'abort');
        if (request.username === 'taken') {
          throw new ConnectError('the username is taken', Code.AlreadyExists, undefined, [
            { desc: ErrorInfoSchema, value: { reason: 'USERNAME_TAKEN', domain: 'users' } },
          ]);
        }
        if (request.username === 'b@d') {
          throw new ConnectError(
            'the request is not valid: username is bad',
            Code.InvalidArgument,
            undefined,
            [
              {
                desc: BadRequestSchema,
                value: { fieldViolations: [{ field: 'username', description: 'is bad' }] },
              },
            ],
          );
        }
        return { user: { username: request.username, userId: 41 } };
      },
      async *getUsers({ user }) {
        for (const value of user) {
          if (value.username === 'later') await proceed.promise;
          if (value.username === 'broken') throw new ConnectError('the disk is full', Code.DataLoss);
          const missing = value.username === 'nobody';
          const userId = value.userId || 7;
          yield {
            result: missing ? { case: 'missing', value } : { case: 'user', value: { ...value, userId } },
          };
        }
      },
    },
    { routes: (router) => router.service(Health, { check: () => ({ status }) }) },
  );
  users = new UsersCommand(server.endpoint);
});

after(async () => {
  users[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

test('create prints the user, and sends metadata of every kind', async () => {
  const extra = users.file('metadata', '# of the team\n\nteam = core\ntrace-bin=AP8K\n');
  const result = await users.run([
    'create',
    'tom',
    '--metadata',
    'ip=127.0.0.1',
    '--metadata',
    'tag=a=b',
    '--metadata',
    'tag=c',
    '--metadata-file',
    extra,
  ]);
  assert.deepEqual(result, { out: 'User created: tom (id 41)\n', err: '', code: 0 });
  assert.equal(headers.get('ip'), '127.0.0.1');
  assert.equal(headers.get('tag'), 'a=b, c');
  assert.equal(headers.get('team'), 'core');
  assert.equal(headers.get('trace-bin'), 'AP8K');
});

test('create takes e-mail, and a password from standard input only', async () => {
  const { code } = await users.run(['create', 'tom', '--email', 'tom@example.com', '--password-stdin'], {
    input: 'pass word\n',
  });
  assert.equal(code, 0);
  assert.equal(created.email, 'tom@example.com');
  assert.equal(created.password, 'pass word');
  assert.equal((await users.run(['create', 'tom', '--password', 'secret'])).code, 64);
});

test('get prints names, ids and what is missing, in the order asked', async () => {
  const result = await users.run(['get', 'alexa', '12', 'nobody', 'name:12', '4294967296']);
  assert.equal(
    result.out,
    [
      'alexa       id 7',
      '12          id 12',
      'nobody      not found',
      '12          id 7',
      '4294967296  id 7',
      '',
    ].join('\n'),
  );
  assert.deepEqual([result.err, result.code], ['', 0]);
});

test('--json prints one line a result, and errors as JSON too', async () => {
  assert.equal(
    (await users.run(['create', 'tom', '--json'])).out,
    '{"user":{"username":"tom","userId":41}}\n',
  );
  assert.equal(
    (await users.run(['--json', 'get', 'alexa', 'nobody'])).out,
    '{"user":{"username":"alexa","userId":7}}\n{"missing":{"username":"nobody"}}\n',
  );
  assert.equal((await users.run(['health', '--json'])).out, '{"status":"SERVING"}\n');
  const failed = await users.run(['create', 'b@d', '--json']);
  const { error } = JSON.parse(failed.err);
  assert.equal(failed.code, 3);
  assert.deepEqual(error, {
    code: 'INVALID_ARGUMENT',
    number: 3,
    message: 'the request is not valid: username is bad',
    violations: [{ field: 'username', description: 'is bad', reason: '' }],
    requestId: 'r1',
  });
});

test('users are printed as they arrive, and stay printed when the stream fails', async () => {
  const child = users.start(['get', 'alexa', 'later', 'broken']);
  child.stdout.setEncoding('utf8');
  const [first] = await once(child.stdout, 'data');
  assert.equal(first, 'alexa   id 7\n');
  proceed.resolve();
  const [rest, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  assert.equal(rest, 'later   id 7\n');
  assert.match(err, /^DATA_LOSS: the disk is full\n/);
  assert.equal(code, 15);
});

test('a reader that has enough ends the command quietly', async () => {
  const child = users.start(['get', ...Array.from({ length: 9_000 }, (_, n) => `user${n}`)]);
  child.stdout.once('data', () => child.stdout.destroy());
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  assert.deepEqual([err, code], ['', 0]);
});

for (const [time, ms] of [
  ['0.01ms', '0.01'],
  ['10ms', '10'],
] as const) {
  test(`--timeout ${time} says that the deadline passed, and what to do; exit code 4`, async () => {
    const { out, err, code } = await users.run(['create', 'slow', '--timeout', time]);
    assert.equal(out, '');
    assert.match(
      err,
      new RegExp(
        `^DEADLINE_EXCEEDED: the deadline of ${ms} ms passed\n  Give the call more time with --timeout`,
      ),
    );
    assert.match(err, /may have been created.*\n {4}--request-id [0-9a-f-]{36}\n$/);
    assert.equal(code, 4);
  });
}

test('--request-id repeats a sign-up', async () => {
  await users.run(['create', 'tom', '--request-id', '11111111-2222-4333-8444-555555555555']);
  assert.equal(created.requestId, '11111111-2222-4333-8444-555555555555');
});

test('the request id that is advised is the one that was sent, also where an empty one was given', async () => {
  for (const args of [[], ['--request-id', '']]) {
    const { err, code } = await users.run(['create', 'broken', ...args]);
    assert.match(created.requestId, /^[0-9a-f-]{36}$/);
    assert.ok(err.includes(`--request-id ${created.requestId}\n`), err);
    assert.equal(code, 13);
  }
});

test('a name that is taken: exit code 6, and that it may be held', async () => {
  assert.deepEqual(await users.run(['create', 'taken']), {
    out: '',
    err:
      'ALREADY_EXISTS: the username is taken\n' +
      '  A name also stays taken for a while after its user was removed.\n',
    code: 6,
  });
});

test('nobody listens: exit code 14, and the endpoint is named', async () => {
  const gone = await startServer();
  await gone[Symbol.asyncDispose]();
  const { err, code } = await users.run(['get', 'alexa', '--endpoint', gone.endpoint]);
  assert.match(err, /^UNAVAILABLE: no connection: connect ECONNREFUSED/);
  assert.ok(err.includes(`Is a Users service running at ${gone.endpoint}?`));
  assert.equal(code, 14);
  const waited = await users.run(['health', '--wait', '100ms'], { env: { USERS_ENDPOINT: gone.endpoint } });
  assert.match(waited.err, /^UNAVAILABLE: could not connect to .* within 100 ms/);
  for (const wait of [[], ['--wait', '1ms']]) {
    const { err } = await users.run(['create', 'tom', '--endpoint', gone.endpoint, ...wait]);
    assert.ok(!err.includes('may have been created'), err);
  }
});

test('health: 0 when serving, 14 when not', async () => {
  assert.deepEqual(await users.run(['health', 'Users']), { out: 'SERVING\n', err: '', code: 0 });
  status = Status.NOT_SERVING;
  assert.deepEqual(await users.run(['health']), { out: 'NOT_SERVING\n', err: '', code: 14 });
  status = Status.SERVING;
});

test('what a server says steers no terminal: --json stays JSON, -v escapes too', async () => {
  const hostile = 'a\u007f\u009b1m\u202e';
  const escaped = 'a\\u007f\\u009b1m\\u202e';
  const result = await users.run(['get', hostile, '--json']);
  assert.equal(result.out, `{"user":{"username":"${escaped}","userId":7}}\n`);
  const failed = await users.run(['create', hostile, '--json']);
  assert.ok(failed.err.includes(`"message":"${escaped} is bad"`), failed.err);
  assert.equal(JSON.parse(failed.err).error.message, `${hostile} is bad`);
  const { err } = await users.run(['create', 'tom', '-v', '--show-secrets']);
  assert.ok(err.split('\n').includes('< x-control: a\\u009b1m'), err);
});

test('-v shows headers and trailers, with the values that are known to be harmless', async () => {
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const { out, err, code } = await users.run(
    ['create', 'tom', '-v', '--metadata', 'ip=::1', '--metadata', `traceparent=${parent}`],
    { env: { USERS_TOKEN: 'sesame' } },
  );
  assert.deepEqual([out, code], ['User created: tom (id 41)\n', 0]);
  for (const line of [
    `> POST ${server.endpoint}/Users/CreateUser`,
    '> content-type: application/grpc+proto',
    '> grpc-accept-encoding: gzip',
    '> ip: ::1',
    `> traceparent: ${parent}`,
    '> authorization: [hidden]',
    '< x-request-id: r1',
    '< x-control: [hidden]',
    '< trailer x-cost: [hidden]',
    '< trailer grpc-status: 0',
  ]) {
    assert.ok(err.split('\n').includes(line), `${line} in\n${err}`);
  }
  assert.match(err, /^> user-agent: connect-es\//m);
  assert.match(err, /^< date: /m);
  assert.equal(headers.get('authorization'), 'Bearer sesame');
  assert.ok(!err.includes('sesame'));
  const streamed = await users.run(['get', 'alexa', '-v', '--token-file', users.file('token', 'abra\n')]);
  assert.match(streamed.err, /< content-type: application\/grpc/);
  assert.match(streamed.err, /< trailer grpc-status: 0/);
});

test('-v hides what may be a secret, whatever its name; --show-secrets shows it', async () => {
  const secrets = [
    ...['x-pin', 'x-otp', 'x-pwd', 'private-key', 'bearer', 'dpop', 'sid', 'x-api-key', 'apikey', 'cookie'],
    ...['x-amz-security-token', 'x-amzn-oidc-data', 'session-id', 'state-bin', 'nobody-knows-this-one'],
    // They begin or end as harmless ones do.
    ...['x-ip', 'ip-secret', 'user-agent-key', 'accept-token', 'x-request-id-secret', 'date-of-birth'],
  ];
  const metadata = secrets.flatMap((key) => ['--metadata', `${key}=abra`]);
  const hidden = await users.run(['create', 'tom', '-v', ...metadata]);
  for (const key of secrets) assert.ok(hidden.err.includes(`> ${key}: [hidden]\n`), key);
  assert.ok(!hidden.err.includes('abra'));
  const shown = await users.run(['create', 'tom', '--show-secrets', ...metadata]);
  for (const key of secrets) assert.ok(shown.err.includes(`> ${key}: abra\n`), key);
  assert.ok(!shown.err.includes('[hidden]'));
});

for (const protocol of ['grpc-web', 'connect']) {
  test(`--protocol ${protocol}`, async () => {
    assert.equal(
      (await users.run(['create', 'tom', '--protocol', protocol])).out,
      'User created: tom (id 41)\n',
    );
    assert.match(
      headers.get('content-type') ?? '',
      protocol === 'connect' ? /^application\/proto/ : /^application\/grpc-web/,
    );
  });
}

for (const protocol of ['grpc-web', 'connect']) {
  test(`--protocol ${protocol} where nobody speaks HTTP/2, as behind an HTTP/1.1 proxy: --http1`, async () => {
    await using http1 = await startServer({}, { http1: true });
    const args = ['create', 'tom', '--endpoint', http1.endpoint];
    assert.deepEqual(await users.run([...args, '--protocol', protocol]), {
      out: '',
      err:
        'UNAVAILABLE: what listens there does not speak HTTP/2: choose HTTP/1.1\n' +
        '  --http1 does without HTTP/2.\n',
      code: 14,
    });
    const { err } = await users.run(args);
    assert.equal(
      err,
      'UNAVAILABLE: what listens there does not speak HTTP/2, which gRPC needs\n' +
        '  --protocol grpc-web --http1 does without HTTP/2.\n',
    );
    assert.deepEqual(await users.run([...args, '--protocol', protocol, '--http1']), {
      out: 'User created: tom (id 1)\n',
      err: '',
      code: 0,
    });
  });
}
