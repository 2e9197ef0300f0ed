// Proves that a stream of responses arrives as the method yielded it, whether its messages are serialized one by one or
// together: all that came before an error too, whatever their sizes, compressed or not; that a method may change
// what it has yielded unless the server was told that it does not; that each message keeps to its limit; and that a
// stream goes on whose client made room while the method had nothing to yield.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import fc from 'fast-check';
import { RpcServer } from '../../functions/rpc/server.ts';
import type { RpcServerOptions } from '../../functions/rpc/server-options.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { type GetUsersResult, GetUsersResultSchema } from '../../proto/gen/users_types_pb.js';

type GetUsers = (names: string[]) => AsyncIterable<GetUsersResult>;

/** What a client of the method gets: the names, and the code at the end. */
async function receive(
  getUsers: GetUsers,
  names: string[],
  options: Partial<RpcServerOptions> & { acceptsGzip?: boolean; onResult?: () => void },
) {
  const server = new RpcServer({
    ...options,
    routes: (router) =>
      router.service(Users, { getUsers: (request) => getUsers(request.user.map((it) => it.username)) }),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const baseUrl = `http://127.0.0.1:${port}`;
  const transport = createGrpcTransport({
    baseUrl,
    ...(options.acceptsGzip ? {} : { acceptCompression: [] }),
  });
  const received: string[] = [];
  let code: Code | undefined;
  try {
    const user = names.map((username) => ({ username }));
    for await (const { result } of createClient(Users, transport).getUsers({ user })) {
      received.push(result.value?.username ?? '');
      options.onResult?.();
    }
  } catch (error) {
    code = ConnectError.from(error).code;
  }
  await server.close();
  return { received, code };
}

const resultOf = (username: string, userId = 1) =>
  create(GetUsersResultSchema, { result: { case: 'user', value: { username, userId } } });

async function* echo(names: string[]) {
  for (const name of names) {
    if (name === 'fail') throw new ConnectError('asked for', Code.Aborted);
    yield resultOf(name, name === 'invalid' ? -1 : 1);
  }
}

for (const keepsMessages of [false, true]) {
  describe(`responses of methods that ${keepsMessages ? 'keep' : 'may change'} their messages`, () => {
    const size = fc.oneof(fc.nat(20), fc.nat(2_000), fc.integer({ min: 30_000, max: 70_000 }));
    it('arrive in order, whatever their sizes', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(size, { maxLength: 200 }), fc.boolean(), async (sizes, acceptsGzip) => {
          const names = sizes.map((it, index) => `${index}-${'x'.repeat(it)}`);
          const limits = { maxMessageBytes: 64 * 1024 * 1024 };
          const { received, code } = await receive(echo, names, { keepsMessages, acceptsGzip, limits });
          assert.deepEqual(received, names);
          assert.equal(code, undefined);
        }),
        { numRuns: 15 },
      );
    });

    for (const [last, expected] of [
      ['fail', Code.Aborted],
      ['invalid', Code.Internal],
    ] as const) {
      it(`arrive before the error of "${last}"`, async () => {
        for (const count of [0, 1, 15, 16, 17, 300]) {
          const names = Array.from({ length: count }, (_, index) => `name${index}`);
          const { received, code } = await receive(echo, [...names, last, 'never'], { keepsMessages });
          assert.deepEqual(received, names);
          assert.equal(code, expected);
        }
      });
    }

    it('end with RESOURCE_EXHAUSTED at the one that is too large', async () => {
      const large = async function* () {
        yield resultOf('small');
        yield resultOf('x'.repeat(2_000));
      };
      const limits = { maxMessageBytes: 1_000 };
      const { received, code } = await receive(large, [], { keepsMessages, limits });
      assert.deepEqual(received, ['small']);
      assert.equal(code, Code.ResourceExhausted);
    });
  });
}

it('a message may be changed after it was yielded', async () => {
  const reuse = async function* (names: string[]) {
    const result = resultOf('');
    for (const name of names) {
      result.result = { case: 'user', value: resultOf(name).result.value ?? assert.fail() };
      yield result;
    }
  };
  const { received } = await receive(reuse, ['alexa', 'christie', 'tom'], {});
  assert.deepEqual(received, ['alexa', 'christie', 'tom']);
});

it('a client may make room before the method yields what would wait for it', {
  timeout: 20_000,
}, async () => {
  const names = ['a'.repeat(200_000), 'b', 'c'];
  const { promise: taken, resolve: onResult } = Promise.withResolvers<void>();
  const slow = async function* () {
    for (const [index, name] of names.entries()) {
      if (index === 1) await taken;
      // The server hears that its write is done.
      for (let turn = 0; turn < 10; turn += 1) await nextTurn();
      yield resultOf(name);
    }
  };
  // The large one does not fill a batch, so it is sent when the method is at work again.
  const limits = { defaultDeadlineMs: 5_000, maxQueuedBytes: 1024 * 1024 };
  const { received, code } = await receive(slow, [], { limits, onResult });
  assert.deepEqual([received.map((it) => it[0]), code], [['a', 'b', 'c'], undefined]);
});
