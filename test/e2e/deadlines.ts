import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Code, createClient } from '@connectrpc/connect';
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from '../../proto/gen/health/v1/health_pb.js';
import {
  CreateUserRequestSchema,
  CreateUserResultSchema,
  GetUsersRequestSchema,
  GetUsersResultSchema,
} from '../../proto/gen/users_types_pb.js';
import { ways } from '../support/transports.ts';
import { test } from './home.ts';
import { rawCall } from './raw.ts';
import { open, type Target, uniqueName } from './target.ts';
import { webRequest } from './web.ts';

/** argon2id takes tens of milliseconds: the server can't have finished before a deadline of one. */
const password = 'correct horse battery staple';
const watch = {
  path: '/grpc.health.v1.Health/Watch',
  input: HealthCheckRequestSchema,
  output: HealthCheckResponseSchema,
};
const getUsers = { path: '/Users/GetUsers', input: GetUsersRequestSchema, output: GetUsersResultSchema };
const createUser = {
  path: '/Users/CreateUser',
  input: CreateUserRequestSchema,
  output: CreateUserResultSchema,
};
const many = Array.from({ length: 10_000 }, (_, n) => ({ userId: n + 1 }));

/** Proves deadlines on both sides: the client's own, and the server's, seen by calls that have no timer themselves. */
export function proveDeadlines(target: () => Target): void {
  for (const way of ways) {
    test(`${way.name}: tiny deadlines end with DEADLINE_EXCEEDED, as in the article`, async () => {
      using client = open(target(), way);
      for (const timeoutMs of [0.01, 1]) {
        await assert.rejects(client.createUser({ username: uniqueName(), password }, { timeoutMs }), {
          code: Code.DeadlineExceeded,
        });
      }
      await assert.rejects(
        async () => {
          for await (const _ of client.getUsers({ user: many }, { timeoutMs: 0.01 }));
        },
        { code: Code.DeadlineExceeded },
      );
    });

    test(`${way.name}: a deadline ends a stream between messages`, async () => {
      using client = open(target(), way);
      // Connects: that is not to be part of the deadline.
      await client.health();
      const health = createClient(Health, client.transport);
      const seen: Status[] = [];
      await assert.rejects(
        async () => {
          for await (const { status } of health.watch({}, { timeoutMs: 600 })) seen.push(status);
        },
        { code: Code.DeadlineExceeded },
      );
      assert.deepEqual(seen, [Status.SERVING]);
    });

    test(`${way.name}: no deadline, and one of a year, are no hindrance`, async () => {
      using client = open(target(), way);
      for (const timeoutMs of [0, 365 * 24 * 3600 * 1000]) {
        await client.createUser({ username: uniqueName() }, { timeoutMs });
      }
    });
  }

  test('the server ends a call at its deadline by itself, and a repeat makes the user exactly once', async () => {
    const message = { username: uniqueName(), password, requestId: randomUUID() };
    const answer = await rawCall(target(), { ...createUser, message, headers: { 'grpc-timeout': '1m' } });
    assert.equal(answer.status, Code.DeadlineExceeded, answer.statusMessage);
    assert.equal(answer.messages.length, 0);
    using client = open(target());
    const { user } = await client.createUser(message);
    assert.equal(user?.username, message.username);
  });

  test('the server ends a stream at its deadline by itself', async () => {
    const answer = await rawCall(target(), { ...watch, message: {}, headers: { 'grpc-timeout': '400m' } });
    assert.equal(answer.status, Code.DeadlineExceeded, answer.statusMessage);
    assert.deepEqual(
      answer.messages.map(({ status }) => status),
      [Status.SERVING],
    );
  });

  test('the server ends GetUsers in the middle of its users', async () => {
    // How long 10,000 users take is not known from outside: the deadline grows until the stream gets going.
    for (let micros = 1_000; ; micros *= 1.5) {
      const headers = { 'grpc-timeout': `${Math.round(micros)}u` };
      const answer = await rawCall(target(), {
        ...getUsers,
        message: { user: many },
        headers,
        window: 4_096,
      });
      assert.equal(answer.status, Code.DeadlineExceeded, `${micros} µs: ${answer.messages.length} users`);
      if (answer.messages.length > 0) {
        assert.ok(answer.messages.length < many.length);
        break;
      }
    }
  });

  test('every unit of grpc-timeout is understood, and the longest deadline is no error', async () => {
    for (const timeout of ['99999999n', '99999999u', '99999999m', '99999999S', '99999999M', '99999999H']) {
      const message = { user: [{ username: 'nobody-at-all' }] };
      const answer = await rawCall(target(), { ...getUsers, message, headers: { 'grpc-timeout': timeout } });
      assert.equal(answer.status, 0, `${timeout}: ${answer.statusMessage}`);
    }
    const short = await rawCall(target(), {
      ...getUsers,
      message: { user: many },
      headers: { 'grpc-timeout': '1n' },
    });
    assert.equal(short.status, Code.DeadlineExceeded);
  });

  test('Connect over HTTP/1.1 by hand: the server ends the call with deadline_exceeded', async () => {
    const headers = {
      'content-type': 'application/json',
      'connect-protocol-version': '1',
      'connect-timeout-ms': '1',
    };
    const request = JSON.stringify({ username: uniqueName(), password });
    const { status, body } = await webRequest(target(), '/Users/CreateUser', headers, request);
    assert.equal(status, 504);
    assert.equal(JSON.parse(body).code, 'deadline_exceeded');
  });
}
