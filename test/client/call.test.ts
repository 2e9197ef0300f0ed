// Proves what a caller gets back: deadlines of every size, cancelling, leaving a stream, and errors with their details,
// in each protocol where that makes a difference.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, encodeBinaryHeader, type Interceptor } from '@connectrpc/connect';
import { createUsersClient, UsersError } from '../../client/client.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { ways } from '../support/transports.ts';
import { startListener, startRawServer, startServer } from './server.ts';

const tom = { username: 'tom' };

test('deadlines are sent exactly: default, own, none, a fraction of a millisecond, a month', async () => {
  const { server, seen } = await startListener();
  await using _ = server;
  using client = createUsersClient({ endpoint: server.endpoint, deadlineMs: 7_000 });
  await client.createUser(tom);
  await client.createUser(tom, { timeoutMs: 5_000 });
  await client.createUser(tom, { timeoutMs: 0 });
  await client.createUser(tom, { timeoutMs: 31 * 24 * 3600 * 1000 });
  await client.createUser(tom, { timeoutMs: Number.POSITIVE_INFINITY });
  const ms = seen.map((headers) => {
    const [, digits = '', unit = ''] = /^(\d{1,8})([umS])$/.exec(headers.get('grpc-timeout') ?? '') ?? [];
    return Number(digits) * ({ u: 0.001, m: 1, S: 1000 }[unit] ?? Number.NaN);
  });
  assert.ok(Math.abs((ms[0] ?? 0) - 7_000) < 100, `${ms[0]}`);
  assert.ok(Math.abs((ms[1] ?? 0) - 5_000) < 100, `${ms[1]}`);
  assert.equal(seen[2]?.get('grpc-timeout'), null);
  assert.ok(Math.abs((ms[3] ?? 0) - 2_147_483_000) < 5_000, `${ms[3]}`);
  assert.equal(seen[4]?.get('grpc-timeout'), null);
});

for (const way of ways) {
  test(`${way.protocol} over HTTP/${way.httpVersion ?? 2}: deadlines end calls before and between messages`, async () => {
    const pause = Promise.withResolvers<void>();
    await using server = await startServer(
      {
        createUser: () => pause.promise.then(() => ({})),
        async *getUsers({ user: [value] }) {
          yield value ? { result: { case: 'user', value } } : {};
          await pause.promise;
        },
      },
      { http1: way.httpVersion === '1.1' },
    );
    using client = createUsersClient({ ...way, endpoint: server.endpoint });
    for (const timeoutMs of [0.01, 1, 40]) {
      await assert.rejects(client.createUser(tom, { timeoutMs }), {
        code: Code.DeadlineExceeded,
        rawMessage: `the deadline of ${timeoutMs} ms passed`,
      });
    }
    await assert.rejects(client.createUser(tom, { timeoutMs: -1 }), { code: Code.DeadlineExceeded });
    await assert.rejects(client.createUser(tom, { timeoutMs: Number.NaN }), { code: Code.InvalidArgument });
    const names: (string | undefined)[] = [];
    await assert.rejects(
      async () => {
        for await (const { result } of client.getUsers({ user: [tom] }, { timeoutMs: 300 })) {
          names.push(result.value?.username);
        }
      },
      { code: Code.DeadlineExceeded, rawMessage: 'the deadline of 300 ms passed' },
    );
    assert.deepEqual(names, ['tom']);
    pause.resolve();
  });

  test(`${way.protocol} over HTTP/${way.httpVersion ?? 2}: error details are plain properties`, async () => {
    await using server = await startServer(
      {
        createUser() {
          throw new ConnectError('bad', Code.InvalidArgument, { 'x-request-id': 'r1' }, [
            {
              desc: BadRequestSchema,
              value: {
                fieldViolations: [
                  { field: 'username', description: 'is required', reason: 'REQUIRED' },
                  { field: 'email' },
                ],
              },
            },
            { desc: ErrorInfoSchema, value: { reason: 'USERNAME_TAKEN', domain: 'users' } },
          ]);
        },
        async *getUsers({ user: [value] }) {
          if (value) yield { result: { case: 'user', value } };
          throw new ConnectError('later', Code.ResourceExhausted, undefined, [
            { desc: RetryInfoSchema, value: { retryDelay: { seconds: 1n, nanos: 500_000_000 } } },
          ]);
        },
      },
      { http1: way.httpVersion === '1.1' },
    );
    using client = createUsersClient({ ...way, endpoint: server.endpoint, retry: { maxAttempts: 1 } });
    const error = await client.createUser(tom).catch((reason: unknown) => reason);
    assert.ok(error instanceof UsersError);
    assert.deepEqual(error.violations, [
      { field: 'username', description: 'is required', reason: 'REQUIRED' },
      { field: 'email', description: '', reason: '' },
    ]);
    assert.equal(error.reason, 'USERNAME_TAKEN');
    assert.equal(error.requestId, 'r1');
    assert.equal(error.retryAfterMs, undefined);
    assert.equal(String(error), 'UsersError: INVALID_ARGUMENT: bad');
    assert.match(error.stack ?? '', /INVALID_ARGUMENT: bad\n/);
    assert.deepEqual(JSON.parse(JSON.stringify(error)), {
      code: 'INVALID_ARGUMENT',
      number: 3,
      message: 'bad',
      reason: 'USERNAME_TAKEN',
      violations: error.violations,
      requestId: 'r1',
    });
    await assert.rejects(
      async () => {
        for await (const _ of client.getUsers({})) assert.fail('no message was sent');
      },
      { code: Code.ResourceExhausted, retryAfterMs: 1_500 },
    );
  });

  test(`${way.protocol} over HTTP/${way.httpVersion ?? 2}: leaving a stream, and a signal, cancel it at the server`, async () => {
    const cancelled: string[] = [];
    const turns = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using server = await startServer(
      {
        async *getUsers({ user: [value] }, { signal }) {
          yield value ? { result: { case: 'user', value } } : {};
          if (!signal.aborted) await once(signal, 'abort');
          cancelled.push(value?.username ?? '');
          turns[cancelled.length - 1]?.resolve();
        },
      },
      { http1: way.httpVersion === '1.1' },
    );
    using client = createUsersClient({ ...way, endpoint: server.endpoint });
    for await (const _ of client.getUsers({ user: [{ username: 'left' }] })) break;
    await turns[0]?.promise;
    const controller = new AbortController();
    const { signal } = controller;
    await assert.rejects(
      async () => {
        for await (const _ of client.getUsers({ user: [{ username: 'aborted' }] }, { signal }))
          controller.abort();
      },
      { code: Code.Canceled },
    );
    await turns[1]?.promise;
    assert.deepEqual(cancelled, ['left', 'aborted']);
    await assert.rejects(client.createUser(tom, { signal }), { code: Code.Canceled });
  });
}

for (const code of [99, 256, -1]) {
  test(`a code that gRPC does not know, ${code}, is UNKNOWN, and the message is kept`, async () => {
    await using server = await startRawServer((stream) => {
      const status = create(StatusSchema, { code, message: 'the disk is full' });
      stream.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': '13',
          'grpc-status-details-bin': encodeBinaryHeader(status, StatusSchema),
        },
        { endStream: true },
      );
    });
    using client = createUsersClient({ endpoint: server.endpoint });
    const error = await client.createUser(tom).catch((reason: unknown) => reason);
    assert.equal(String(error), 'UsersError: UNKNOWN: the disk is full');
    assert.ok(error instanceof UsersError && error.code === Code.Unknown);
  });
}

test("a UsersError is told from other errors, also from connect's own", () => {
  assert.ok(!(new ConnectError('x') instanceof UsersError));
  assert.ok(!(new Error('x') instanceof UsersError));
});

test('a call that the server resets with CANCEL is over by its deadline if that has passed, else cancelled', async () => {
  await using server = await startRawServer((stream) => stream.close(http2.constants.NGHTTP2_CANCEL));
  // The client is busy when the reset comes: its own timer will be late.
  const busyUntil = (ms: number): Interceptor => {
    return (next) => (request) =>
      next(request).catch((reason) => {
        const untilMs = performance.now() + ms;
        while (performance.now() < untilMs);
        throw reason;
      });
  };
  using busy = createUsersClient({ endpoint: server.endpoint, interceptors: [busyUntil(500)] });
  await assert.rejects(busy.createUser(tom, { timeoutMs: 500 }), {
    code: Code.DeadlineExceeded,
    rawMessage: 'the deadline of 500 ms passed',
  });
  using quick = createUsersClient({ endpoint: server.endpoint });
  await assert.rejects(quick.createUser(tom, { timeoutMs: 60_000 }), {
    code: Code.Canceled,
    rawMessage: /CANCEL/,
  });
});
