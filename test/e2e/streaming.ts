import assert from 'node:assert/strict';
import { Code } from '@connectrpc/connect';
import { GetUsersRequestSchema, GetUsersResultSchema } from '../../proto/gen/users_types_pb.js';
import { ways } from '../support/transports.ts';
import { test } from './home.ts';
import { rawCall } from './raw.ts';
import { open, type Target, uniqueName } from './target.ts';

const many = Array.from({ length: 10_000 }, (_, n) => ({ userId: 4_000_000_000 + n }));

/** Proves that streams keep their order at any length and pace, and end when their reader goes, in every protocol. */
export function proveStreaming(target: () => Target): void {
  for (const way of ways) {
    // One protocol at full length is enough: reading takes the test's own processor, not the server's.
    const some = way.protocol === 'grpc' ? many : many.slice(0, 2_000);
    test(`${way.name}: ${some.length} users come in the order asked; 10,001 are refused`, async () => {
      using client = open(target(), way);
      let count = 0;
      for await (const { result } of client.getUsers({ user: some })) {
        if (result.value?.userId !== some[count++]?.userId) assert.fail(`result ${count} is another`);
      }
      assert.equal(count, some.length);
      await assert.rejects(
        async () => {
          for await (const _ of client.getUsers({ user: [...many, { userId: 1 }] }));
        },
        { code: Code.InvalidArgument, reason: 'TOO_MANY_USERS' },
      );
    });

    test(`${way.name}: streams that are left or aborted leave room for others`, async () => {
      using client = open(target(), way);
      await Promise.all(
        Array.from({ length: 6 }, async (_, n) => {
          const controller = new AbortController();
          const read = async () => {
            for await (const _ of client.getUsers({ user: some }, { signal: controller.signal })) {
              if (n % 2 === 0) break;
              controller.abort();
            }
          };
          if (n % 2 === 0) await read();
          else await assert.rejects(read, { code: Code.Canceled });
        }),
      );
      await client.createUser({ username: uniqueName() });
    });

    test(`${way.name}: a call that is cancelled before it begins sends nothing`, async () => {
      using client = open(target(), way);
      const username = uniqueName();
      await assert.rejects(client.createUser({ username }, { signal: AbortSignal.abort() }), {
        code: Code.Canceled,
      });
      for await (const { result } of client.getUsers({ user: [{ username }] }))
        assert.equal(result.case, 'missing');
    });
  }

  test('the first users arrive before the last can have been sent, however slowly they are read', async () => {
    // The window lets the server send some of the 10,000 users ahead of the reader.
    let read = 0;
    const answer = await rawCall(target(), {
      path: '/Users/GetUsers',
      input: GetUsersRequestSchema,
      output: GetUsersResultSchema,
      message: { user: many },
      window: 4_096,
      async onMessage({ result }) {
        if (result.value?.userId !== many[read++]?.userId) assert.fail(`result ${read} is another`);
        if (read % 1_000 === 1) await new Promise(setImmediate);
      },
    });
    assert.equal(answer.status, 0, answer.statusMessage);
    assert.equal(answer.messages.length, many.length);
  });
}
