// Proves that calls are tried again when that is safe, as often and as late as the policy and the server say, with one
// request_id, within one deadline; and that all else fails at once.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { test } from 'node:test';
import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { retryDelayMs } from '../../client/call/retry.ts';
import { createUsersClient, openClient, type UsersClientOptions, UsersError } from '../../client/client.ts';
import { RetryInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { Users } from '../../proto/gen/users_pb.js';
import type { CreateUserRequest } from '../../proto/gen/users_types_pb.js';
import { answer, startRawServer, startServer } from './server.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM: calm, NGHTTP2_REFUSED_STREAM: refused } = http2.constants;

const retry = { initialBackoffMs: 1, maxBackoffMs: 5 };
const alexa = { user: [{ username: 'alexa', userId: 7 }] };

function connect(endpoint: string, options: UsersClientOptions = {}) {
  return createUsersClient({ endpoint, retry, ...options });
}

function unavailable(retryAfterMs?: number, code = Code.Unavailable): ConnectError {
  const seconds = BigInt(Math.floor((retryAfterMs ?? 0) / 1000));
  const nanos = ((retryAfterMs ?? 0) % 1000) * 1e6;
  const details = [{ desc: RetryInfoSchema, value: { retryDelay: { seconds, nanos } } }];
  return new ConnectError('the store is away', code, undefined, retryAfterMs === undefined ? [] : details);
}

test('CreateUser is repeated with the same request_id until it succeeds', async () => {
  const seen: CreateUserRequest[] = [];
  await using server = await startServer({
    createUser(request) {
      seen.push(request);
      if (seen.length < 3) throw unavailable();
      return { user: { username: request.username, userId: 9 } };
    },
  });
  using client = connect(server.endpoint);
  const { user } = await client.createUser({ username: 'tom' });
  assert.equal(user?.userId, 9);
  assert.equal(seen.length, 3);
  assert.match(seen[0]?.requestId ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.equal(new Set(seen.map((request) => request.requestId)).size, 1);
});

test('the request_id of the caller is kept, and two calls never share one', async () => {
  const seen: string[] = [];
  await using server = await startServer({
    createUser(request) {
      seen.push(request.requestId);
      return {};
    },
  });
  using client = connect(server.endpoint);
  await client.createUser({ username: 'tom', requestId: 'mine' });
  await client.createUser({ username: 'tom' });
  await client.createUser({ username: 'tom' });
  assert.equal(seen[0], 'mine');
  assert.equal(new Set(seen).size, 3);
});

test('the attempts end with maxAttempts, and the error is the last one', async () => {
  let attempts = 0;
  await using server = await startServer({
    createUser() {
      attempts++;
      throw new ConnectError(`attempt ${attempts}`, Code.Unavailable);
    },
  });
  using client = connect(server.endpoint, { retry: { ...retry, maxAttempts: 4 } });
  await assert.rejects(client.createUser({ username: 'tom' }), {
    code: Code.Unavailable,
    rawMessage: 'attempt 4',
  });
  assert.equal(attempts, 4);
});

for (const code of [
  Code.InvalidArgument,
  Code.AlreadyExists,
  Code.Internal,
  Code.Aborted,
  Code.ResourceExhausted,
]) {
  test(`${Code[code]} is not repeated`, async () => {
    let attempts = 0;
    await using server = await startServer({
      createUser() {
        attempts++;
        throw new ConnectError('no', code);
      },
    });
    using client = connect(server.endpoint);
    await assert.rejects(client.createUser({ username: 'tom' }), { code });
    assert.equal(attempts, 1);
  });
}

test('RetryInfo makes any code repeatable, after the time it names', async () => {
  const times: number[] = [];
  await using server = await startServer({
    createUser() {
      times.push(performance.now());
      if (times.length === 1) throw unavailable(60, Code.ResourceExhausted);
      return {};
    },
  });
  using client = connect(server.endpoint);
  await client.createUser({ username: 'tom' });
  assert.equal(times.length, 2);
  assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 59, 'waited at least as long as RetryInfo says');
});

test('the wait is random between zero and a ceiling that doubles, after what RetryInfo asks for', () => {
  const policy = { maxAttempts: 9, initialBackoffMs: 100, maxBackoffMs: 1_000 };
  const delays = (failed: number, error: UsersError) =>
    Array.from({ length: 500 }, () => retryDelayMs(error, failed, policy) ?? Number.NaN);
  for (const [failed, ceiling] of [
    [1, 100],
    [2, 200],
    [3, 400],
    [6, 1_000],
  ] as const) {
    const waits = delays(failed, new UsersError(unavailable()));
    assert.ok(Math.max(...waits) <= ceiling && Math.max(...waits) > ceiling * 0.9, `ceiling of ${ceiling}`);
    assert.ok(Math.min(...waits) >= 0 && Math.min(...waits) < ceiling * 0.1, 'full jitter');
  }
  assert.ok(Math.min(...delays(1, new UsersError(unavailable(250)))) >= 250);
});

test('a wait that would pass the deadline is not begun: the cause is reported', async () => {
  let attempts = 0;
  await using server = await startServer({
    createUser() {
      attempts++;
      throw unavailable(90_500);
    },
  });
  using client = connect(server.endpoint);
  await assert.rejects(client.createUser({ username: 'tom' }, { timeoutMs: 60_000 }), {
    code: Code.Unavailable,
    rawMessage: 'the store is away',
    retryAfterMs: 90_500,
  });
  assert.equal(attempts, 1);
});

test('a wait that is longer than a timer can wait is not begun, with no deadline either', async () => {
  let attempts = 0;
  await using server = await startServer({
    createUser() {
      attempts++;
      throw unavailable(1e12);
    },
  });
  using client = connect(server.endpoint);
  await assert.rejects(client.createUser({ username: 'tom' }, { timeoutMs: 0 }), {
    code: Code.Unavailable,
    rawMessage: 'the store is away',
    retryAfterMs: 1e12,
  });
  assert.equal(attempts, 1);
});

test('every attempt is given what is left of the deadline', async () => {
  const timeouts: number[] = [];
  await using server = await startServer({
    createUser(_, context) {
      timeouts.push(context.timeoutMs() ?? Number.NaN);
      if (timeouts.length < 3) throw unavailable(40);
      return {};
    },
  });
  using client = connect(server.endpoint);
  await client.createUser({ username: 'tom' }, { timeoutMs: 20_000 });
  const [first = 0, second = 0, third = 0] = timeouts;
  assert.ok(first <= 20_000 && second <= first - 39 && third <= second - 39, timeouts.join(' > '));
});

test('cancelling ends the wait between attempts', async () => {
  let attempts = 0;
  await using server = await startServer({
    createUser() {
      attempts++;
      throw unavailable(20_000);
    },
  });
  const controller = new AbortController();
  // The wait begins in the same turn of the event loop in which the attempt fails.
  const cancelInWait: Interceptor = (next) => (request) =>
    next(request).finally(() => setImmediate(() => controller.abort()));
  using client = connect(server.endpoint, { interceptors: [cancelInWait] });
  await assert.rejects(client.createUser({ username: 'tom' }, { signal: controller.signal }), {
    code: Code.Canceled,
  });
  assert.equal(attempts, 1);
});

test('GetUsers is repeated while nothing was received, and never after', async () => {
  let attempts = 0;
  await using server = await startServer({
    async *getUsers(request) {
      attempts++;
      if (attempts === 1) throw unavailable();
      for (const value of request.user) yield { result: { case: 'user', value } };
      throw unavailable();
    },
  });
  using client = connect(server.endpoint);
  const names: (string | undefined)[] = [];
  await assert.rejects(
    async () => {
      for await (const { result } of client.getUsers(alexa)) names.push(result.value?.username);
    },
    (error) => error instanceof UsersError && error.code === Code.Unavailable,
  );
  assert.deepEqual(names, ['alexa']);
  assert.equal(attempts, 2);
});

test('an empty stream is an answer, not a reason to try again', async () => {
  let attempts = 0;
  await using server = await startServer({
    async *getUsers(request) {
      attempts++;
      for (const value of request.user) yield { result: { case: 'user', value } };
    },
  });
  using client = connect(server.endpoint);
  for await (const _ of client.getUsers({})) assert.fail('nothing was asked');
  assert.equal(attempts, 1);
});

for (const maxAttempts of [1, 2]) {
  test(`a call that the server refuses to begin is sent again once, beside ${maxAttempts} attempts`, async () => {
    let seen = 0;
    await using server = await startRawServer((stream, _, call) => {
      seen = call;
      stream.close(refused);
    });
    // Nothing here is repeatable: the server says that nothing was done.
    using client = openClient(Users, { endpoint: server.endpoint, retry: { ...retry, maxAttempts } });
    await assert.rejects(client.call.createUser({ username: 'tom' }), { code: Code.Unavailable });
    assert.equal(seen, 1 + maxAttempts);
  });
}

test('a stream that the server refuses to begin is sent again, and goes on', async () => {
  await using server = await startRawServer((stream, _, call) => {
    if (call === 1) stream.close(refused);
    else answer(stream);
  });
  using client = openClient(Users, { endpoint: server.endpoint, retry: { maxAttempts: 1 } });
  let received = 0;
  for await (const _ of client.call.getUsers({})) received++;
  assert.equal(received, 1);
});

test('a call that is reset with ENHANCE_YOUR_CALM before it is answered is repeated where it may be', async () => {
  let seen = 0;
  await using server = await startRawServer((stream, _, call) => {
    seen = call;
    if (call % 3 !== 0) stream.close(calm);
    else answer(stream);
  });
  using users = connect(server.endpoint);
  await users.createUser({ username: 'tom' });
  assert.equal(seen, 3);
  // It may have been carried out.
  using client = openClient(Users, { endpoint: server.endpoint, retry });
  await assert.rejects(client.call.createUser({ username: 'tom' }), { code: Code.ResourceExhausted });
  assert.equal(seen, 4);
});

for (const code of [calm, refused, 2]) {
  test(`a call that is reset with ${code} after its headers is not sent again as if nothing had come`, async () => {
    let seen = 0;
    await using server = await startRawServer((stream, _, call) => {
      seen = call;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      // The headers leave before the reset.
      stream.write(Buffer.alloc(5), () => stream.close(code));
    });
    using client = openClient(Users, { endpoint: server.endpoint, retry });
    await assert.rejects(client.call.createUser({ username: 'tom' }));
    assert.equal(seen, 1);
  });
}

test('502, 503 and 504 of a load balancer are repeated', async () => {
  await using server = await startRawServer((stream, _, call) => {
    if (call > 3) return answer(stream);
    stream.respond({ ':status': 501 + call, 'content-type': 'text/html' });
    stream.end('<html>');
  });
  using client = connect(server.endpoint);
  await client.createUser({ username: 'tom' });
});

test('nobody listens: UNAVAILABLE says where, after the attempts', async () => {
  const server = await startServer();
  await server[Symbol.asyncDispose]();
  using client = connect(server.endpoint, { retry: { ...retry, maxAttempts: 2 } });
  await assert.rejects(client.createUser({ username: 'tom' }), {
    code: Code.Unavailable,
    rawMessage: `no connection: connect ECONNREFUSED 127.0.0.1:${server.port}`,
    neverSent: true,
  });
});

test('a call that may have arrived once is not taken for one that was never sent', async () => {
  const server = await startServer({
    async createUser() {
      server.sockets[0]?.resetAndDestroy();
      await server[Symbol.asyncDispose]();
      return {};
    },
  });
  using client = connect(server.endpoint);
  await assert.rejects(client.createUser({ username: 'tom' }), {
    code: Code.Unavailable,
    rawMessage: /ECONNREFUSED/,
    neverSent: false,
  });
});

const byName = { key: { key: { case: 'username', value: 'tom' } } } as const;
const byEmail = { key: { key: { case: 'email', value: 'tom@example.com' } } } as const;
const byId = { key: { key: { case: 'userId', value: 7 } } } as const;
for (const [what, request, attempts] of [
  ['a name', byName, 1],
  ['an address', byEmail, 1],
  ['a name and an etag', { ...byName, etag: 'e-1' }, 2],
  ['a user_id', byId, 2],
] as const) {
  test(`a removal by ${what} whose connection is lost is sent ${attempts} times: a name may be a newcomer's`, async () => {
    const here = new Set(['tom']);
    let seen = 0;
    await using server = await startServer({
      deleteUser() {
        seen++;
        here.delete('tom');
        if (seen > 1) return {};
        // Somebody else signs up with the name, before the answer is lost.
        here.add('tom');
        server.sockets[0]?.resetAndDestroy();
        return {};
      },
    });
    using client = connect(server.endpoint);
    const call = client.deleteUser(request);
    if (attempts > 1) await call;
    else await assert.rejects(call, { code: Code.Unavailable, neverSent: false });
    assert.equal(seen, attempts);
    if (attempts === 1) assert.ok(here.has('tom'), 'the newcomer stays');
  });
}

test('a removal by name is sent again where no server has begun it', async () => {
  let seen = 0;
  await using server = await startRawServer((stream, _, call) => {
    seen = call;
    if (call === 1) stream.close(refused);
    else answer(stream);
  });
  using client = connect(server.endpoint);
  await client.deleteUser(byName);
  assert.equal(seen, 2);
});

test('over the transport, a sign-up or a change without request_id is not repeated', async () => {
  let seen = 0;
  const away = () => {
    seen++;
    throw unavailable();
  };
  await using server = await startServer({ createUser: away, updateUser: away });
  using client = connect(server.endpoint);
  const users = createClient(Users, client.transport);
  await assert.rejects(users.createUser({ username: 'tom' }), { code: Code.Unavailable });
  await assert.rejects(users.updateUser(byName), { code: Code.Unavailable });
  assert.equal(seen, 2);
});

test('a push-back of the server decides when the next attempt is made, and whether', () => {
  const delayMs = (text: string) => {
    const error = new UsersError(unavailable(2_000));
    error.metadata.set('grpc-retry-pushback-ms', text);
    return retryDelayMs(error, 1, { initialBackoffMs: 300, maxBackoffMs: 2_000 });
  };
  assert.deepEqual(['0', '250', '4000'].map(delayMs), [0, 250, 4_000]);
  // -1 means never; so does what is no time, as gRPC says.
  assert.deepEqual(
    ['-1', '', '1.5', '10s', '99999999999'].map(delayMs),
    Array.from({ length: 5 }, () => undefined),
  );
});

for (const [pushback, expected] of [
  ['0', 2],
  ['-1', 1],
] as const) {
  test(`with a push-back of ${pushback} there are ${expected} attempts`, async () => {
    let attempts = 0;
    await using server = await startServer({
      createUser() {
        attempts++;
        if (attempts > 1) return {};
        throw new ConnectError('too much', Code.Unavailable, { 'grpc-retry-pushback-ms': pushback });
      },
    });
    using client = connect(server.endpoint);
    const call = client.createUser({ username: 'tom' });
    await (expected === 1 ? assert.rejects(call, { code: Code.Unavailable }) : call);
    assert.equal(attempts, expected);
  });
}

test('while most calls fail none is tried again, until enough have gone well', async () => {
  let attempts = 0;
  let isDown = true;
  await using server = await startServer({
    createUser() {
      attempts++;
      if (isDown) throw new ConnectError('too much', Code.Unavailable);
      return {};
    },
  });
  const policy = { ...retry, maxAttempts: 3, maxTokens: 4, tokenRatio: 0.5 };
  using client = connect(server.endpoint, { retry: policy });
  const attemptsOf = async (call: Promise<unknown>) => {
    attempts = 0;
    await call.catch(() => {});
    return attempts;
  };
  const fail = () => attemptsOf(client.createUser({ username: 'tom' }));
  // 4 tokens: one failure leaves 3, which are more than half; the second leaves 2.
  assert.deepEqual([await fail(), await fail(), await fail(), await fail()], [2, 1, 1, 1]);
  isDown = false;
  for (let calls = 0; calls < 6; calls++) await client.createUser({ username: 'tom' });
  isDown = true;
  // 6 calls brought 3 tokens back to none: one failure leaves 2.
  assert.equal(await fail(), 1);
  isDown = false;
  for (let calls = 0; calls < 8; calls++) await client.createUser({ username: 'tom' });
  isDown = true;
  assert.equal(await fail(), 2);
  using unthrottled = connect(server.endpoint, { retry: { ...policy, maxTokens: 0 } });
  for (let calls = 0; calls < 5; calls++) {
    assert.equal(await attemptsOf(unthrottled.createUser({ username: 'tom' })), 3);
  }
});
