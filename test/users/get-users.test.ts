// Proves what GetUsers streams: one result for each user asked for, in their order, found or missing,
// whatever was asked for and however large the chunks are. How it reads them is proven in read-ahead.test.ts.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type CallOptions, Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { ErrorInfoSchema } from '../../functions/rpc/index.ts';
import type { StoredUser, Wanted } from '../../functions/users/store.ts';
import { GetUsersRequestSchema, type GetUsersResult } from '../../proto/gen/users_types_pb.js';
import { eventually } from '../support/patience.ts';
import { contextOf, limitsWith, serveUsers, storeWith, usersService } from './serving.ts';

const answerOf = ({ userId }: Wanted): StoredUser | undefined =>
  userId % 2 === 1 ? { username: `user${userId}`, userId } : undefined;

/** A store that has the users with odd ids. */
const oddStore = storeWith({ find: async (wanted) => wanted.map(answerOf) });

const request = (count: number) =>
  create(GetUsersRequestSchema, { user: Array.from({ length: count }, (_, i) => ({ userId: i + 1 })) });

function expected(id: number): unknown {
  return id % 2 === 1
    ? { case: 'user', username: `user${id}`, userId: id }
    : { case: 'missing', username: '', userId: id };
}

function seen({ result }: GetUsersResult): unknown {
  return { case: result.case, username: result.value?.username, userId: result.value?.userId };
}

describe('GetUsers', () => {
  it('answers in the order of the request, duplicates too; the name decides where one is given', async (t) => {
    const users = await serveUsers(t);
    const { user: tom } = await users.createUser({ username: 'Tom' });
    const { user: ann } = await users.createUser({ username: 'ann' });
    assert.ok(tom && ann);
    const asked = [
      { username: 'ann', userId: tom.userId },
      { username: '', userId: tom.userId },
      { username: 'tOm', userId: 0 },
      { username: 'nobody', userId: tom.userId },
      { username: 'ann', userId: 0 },
      { username: '', userId: 0 },
      { username: 'not a name!', userId: 4 },
      { username: 'x'.repeat(100_000), userId: 0 },
      { username: '\u212aann', userId: 0 },
    ];
    const results: GetUsersResult[] = [];
    for await (const result of users.getUsers({ user: asked })) results.push(result);
    const cases = results.map(({ result }) => [result.case, result.value?.username, result.value?.userId]);
    assert.deepEqual(cases, [
      ['user', 'ann', ann.userId],
      ['user', 'Tom', tom.userId],
      ['user', 'Tom', tom.userId],
      ['missing', 'nobody', tom.userId],
      ['user', 'ann', ann.userId],
      ['missing', '', 0],
      ['missing', 'not a name!', 4],
      ['missing', 'x'.repeat(100_000), 0],
      ['missing', '\u212aann', 0],
    ]);
  });

  it('answers nobody with an empty stream, without the store', async () => {
    const store = storeWith({ find: () => assert.fail('the store was asked') });
    const stream = usersService({ store }).getUsers(request(0), contextOf('getUsers'));
    assert.deepEqual(await stream[Symbol.asyncIterator]().next(), { done: true, value: undefined });
  });

  it('streams 10,000 users through a server, and refuses one more', async (t) => {
    const users = await serveUsers(t, { store: oddStore });
    let count = 0;
    for await (const result of users.getUsers(request(10_000))) {
      count += 1;
      assert.deepEqual(seen(result), expected(count));
    }
    assert.equal(count, 10_000);
    const refused = users.getUsers(request(10_001))[Symbol.asyncIterator]().next();
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof ConnectError && error.code === Code.InvalidArgument);
      return error.findDetails(ErrorInfoSchema)[0]?.reason === 'TOO_MANY_USERS';
    });
  });

  it('never asks the store for names that nobody can have', async () => {
    const asked: Wanted[] = [];
    const store = storeWith({
      find: async (wanted) => {
        asked.push(...wanted);
        return wanted.map(() => undefined);
      },
    });
    const user = [{ username: 'x'.repeat(65) }, { username: 'ä' }, { username: 'ok' }];
    const stream = usersService({ store }).getUsers(
      create(GetUsersRequestSchema, { user }),
      contextOf('getUsers'),
    );
    let count = 0;
    for await (const _ of stream) count += 1;
    assert.equal(count, 3);
    assert.deepEqual(
      asked.map((it) => it.username),
      ['', '', 'ok'],
    );
  });

  it('streams the same for every size of request, chunk and read-ahead', async () => {
    const sizes = fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 25 }), fc.nat({ max: 4 }));
    const property = fc.asyncProperty(sizes, async ([count, readChunkUsers, readAheadChunks]) => {
      let largest = 0;
      const store = storeWith({
        find: async (wanted) => {
          largest = Math.max(largest, wanted.length);
          return wanted.map(answerOf);
        },
      });
      const service = usersService({ store, limits: limitsWith({ readChunkUsers, readAheadChunks }) });
      const results: unknown[] = [];
      for await (const result of service.getUsers(request(count), contextOf('getUsers'))) {
        results.push(result);
      }
      assert.equal(results.length, count);
      assert.ok(largest <= readChunkUsers);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  it('fails when the store takes longer than it may', async (t) => {
    const store = storeWith({ find: () => new Promise(() => {}) });
    const users = await serveUsers(t, { store, limits: limitsWith({ storeTimeoutMs: 20 }) });
    const first = users.getUsers(request(3))[Symbol.asyncIterator]().next();
    await assert.rejects(first, (error) => {
      assert.ok(error instanceof ConnectError && error.code === Code.Unavailable);
      return error.findDetails(ErrorInfoSchema)[0]?.reason === 'STORE_UNAVAILABLE';
    });
  });

  it('stops its store as soon as the client cancels, or its deadline has passed', async (t) => {
    const within: AbortSignal[] = [];
    const asked = Promise.withResolvers<void>();
    const hanging = storeWith({
      find(_wanted, signal) {
        within.push(signal);
        if (within.length === 2) asked.resolve();
        return new Promise(() => {});
      },
    });
    const users = await serveUsers(t, { store: hanging, limits: limitsWith({ storeTimeoutMs: 600_000 }) });
    const client = new AbortController();
    const read = async (options: CallOptions) => {
      for await (const _ of users.getUsers({ user: [{ userId: 1 }] }, options)) assert.fail('an answer');
    };
    const calls = [read({ signal: client.signal }), read({ timeoutMs: 300 })];
    const ended = Promise.allSettled(calls);
    await asked.promise;
    client.abort();
    await ended;
    assert.ok(await eventually(() => within.every((it) => it.aborted)), 'a store goes on');
  });
});
