// Proves that openClient calls any service: every kind of method with deadlines, metadata and errors; that it sends
// again only what its caller, or the proto file, says is safe to repeat, and what no server has begun.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { type ClientOptions, openClient } from '../../client/call/service-client.ts';
import { CallError, UsersError } from '../../client/client.ts';
import { echoService } from '../rpc/echo-service.ts';
import { Echo } from '../rpc/gen/echo_pb.js';
import { startServer } from './server.ts';

const retry = { initialBackoffMs: 1, maxBackoffMs: 5 };

function startEcho(methods: Partial<ServiceImpl<typeof Echo>> = {}) {
  return startServer(
    {},
    { routes: (router) => router.service(Echo, { ...echoService(new Map()), ...methods }) },
  );
}

test('methods of every kind, with metadata and a health check', async () => {
  await using server = await startEcho();
  using client = openClient(Echo, { endpoint: server.endpoint, metadata: { tier: 'core' } });
  await client.ready();
  assert.equal(await client.health(), 'SERVING');
  const { text, shown } = await client.call.unary({ text: 'one', showHeaders: ['tier'] });
  assert.deepEqual([text, shown.map(({ value }) => value)], ['one', ['core']]);
  const streamed: string[] = [];
  for await (const { text } of client.call.serverStream({ text: 'two', count: 2 })) streamed.push(text);
  assert.deepEqual(streamed, ['two', 'two']);
  async function* requests() {
    yield { text: 'a', count: 1 };
    yield { text: 'last', count: 1 };
  }
  assert.equal((await client.call.clientStream(requests())).text, 'a last');
  const echoed: string[] = [];
  for await (const { text } of client.call.bidi(requests())) echoed.push(text);
  assert.deepEqual(echoed, ['a', 'last']);
});

test('errors are CallErrors, and of a class of the caller where it has one', async () => {
  await using server = await startEcho();
  using client = openClient(Echo, { endpoint: server.endpoint });
  const failure = { code: Code.FailedPrecondition, message: 'not now' };
  const error = await client.call.unary({ failure }).catch((reason: unknown) => reason);
  assert.ok(error instanceof CallError && !(error instanceof UsersError));
  assert.equal(String(error), 'CallError: FAILED_PRECONDITION: not now');
  await assert.rejects(
    async () => {
      for await (const _ of client.call.serverStream({ count: 1, failure }));
    },
    (reason) => reason instanceof CallError,
  );
  class EchoError extends CallError {
    override toString(): string {
      return `EchoError: ${this.message}`;
    }
  }
  using own = openClient(Echo, { endpoint: server.endpoint, errorClass: EchoError });
  const ownError = await own.call.unary({ failure }).catch((reason: unknown) => reason);
  assert.equal(String(ownError), 'EchoError: FAILED_PRECONDITION: not now');
  assert.ok(ownError instanceof CallError);
});

test('a deadline ends a call, and so does leaving a stream', async () => {
  const left = Promise.withResolvers<void>();
  await using server = await startEcho({
    async *serverStream(_, { signal }) {
      yield {};
      if (!signal.aborted) await once(signal, 'abort');
      left.resolve();
    },
  });
  using client = openClient(Echo, { endpoint: server.endpoint, deadlineMs: 40 });
  await assert.rejects(client.call.unary({ hang: true }), {
    code: Code.DeadlineExceeded,
    rawMessage: 'the deadline of 40 ms passed',
  });
  for await (const _ of client.call.serverStream({}, { timeoutMs: 0 })) break;
  await left.promise;
});

test('a stream begins with its first read: one that nobody reads is no call, and no unhandled error', async () => {
  const server = await startEcho();
  await server[Symbol.asyncDispose]();
  using client = openClient(Echo, { endpoint: server.endpoint, retry: { maxAttempts: 1 } });
  client.call.serverStream({});
  await assert.rejects(client.call.unary({}), { code: Code.Unavailable });
});

for (const [name, options, attempts] of [
  ['nothing', {}, 1],
  ['one method', { repeatable: (method) => method.name === 'Unary' }, 5],
  ['another method', { repeatable: (method) => method.name === 'Bidi' }, 1],
] as [string, Partial<ClientOptions>, number][]) {
  test(`UNAVAILABLE is repeated for what may be repeated: the caller says ${name}`, async () => {
    let made = 0;
    await using server = await startEcho({
      unary() {
        made++;
        throw new ConnectError('the store is away', Code.Unavailable);
      },
    });
    using client = openClient(Echo, { endpoint: server.endpoint, retry, ...options });
    await assert.rejects(client.call.unary({}), { code: Code.Unavailable, rawMessage: 'the store is away' });
    assert.equal(made, attempts);
  });
}

test('a call that was never sent is tried again, whatever its method', async () => {
  const gone = await startEcho();
  await gone[Symbol.asyncDispose]();
  let attempts = 0;
  using client = openClient(Echo, {
    endpoint: gone.endpoint,
    retry: { ...retry, maxAttempts: 3 },
    interceptors: [
      (next) => (request) => {
        attempts++;
        return next(request);
      },
    ],
  });
  await assert.rejects(client.call.unary({}), { code: Code.Unavailable, neverSent: true });
  assert.equal(attempts, 3);
});

test('options that can not be meant are refused', () => {
  assert.throws(() => openClient(Echo, { endpoint: 'localhost:1' }), TypeError);
  assert.throws(
    () => openClient(Echo, { endpoint: 'http://localhost', metadata: { 'grpc-x': '1' } }),
    CallError,
  );
});
