// Proves how GetUsers reads the store: chunk by chunk, no further ahead than the limit and the consumer's pace allow,
// stopped by an early end, an abort or a fault, with nothing left behind.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { RetryInfoSchema } from '../../functions/rpc/index.ts';
import { type StoredUser, StoreError, type UserStore, type Wanted } from '../../functions/users/store.ts';
import { GetUsersRequestSchema } from '../../proto/gen/users_types_pb.js';
import { contextOf, limitsWith, storeWith, usersService } from './serving.ts';

interface Read {
  readonly wanted: readonly Wanted[];
  readonly signal: AbortSignal;
  /** Lets the read return. */
  readonly answer: () => void;
  readonly fail: (error: unknown) => void;
}

const answerOf = ({ userId }: Wanted): StoredUser | undefined =>
  userId % 2 === 1 ? { username: `user${userId}`, userId } : undefined;

/** A store that has the users with odd ids, and whose reads end when the test says so. */
function gatedStore(): { store: UserStore; reads: Read[] } {
  const reads: Read[] = [];
  const store = storeWith({
    find: (wanted, signal) =>
      new Promise((resolve, reject) => {
        reads.push({ wanted, signal, answer: () => resolve(wanted.map(answerOf)), fail: reject });
      }),
  });
  return { store, reads };
}

const request = (count: number) =>
  create(GetUsersRequestSchema, { user: Array.from({ length: count }, (_, i) => ({ userId: i + 1 })) });

function streamOf(store: UserStore, count: number, signal?: AbortSignal) {
  const limits = limitsWith({ readChunkUsers: 10, readAheadChunks: 2 });
  const context = contextOf('getUsers', signal);
  const stream = usersService({ store, limits }).getUsers(request(count), context);
  const listeners = () => getEventListeners(context.signal, 'abort').length;
  const ofTheContext = listeners();
  return {
    stream: stream[Symbol.asyncIterator](),
    /** Listeners that the service has added to the signal of the call. */
    ownListeners: () => listeners() - ofTheContext,
  };
}

/** Lets everything happen that is not waiting for the test. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('GetUsers reads', () => {
  it('nothing before the first result is asked for', async () => {
    const { store, reads } = gatedStore();
    streamOf(store, 100);
    await settled();
    assert.equal(reads.length, 0);
  });

  it('the first chunk alone, then two ahead of the one that is taken, at the pace of the consumer', async () => {
    const { store, reads } = gatedStore();
    const { stream } = streamOf(store, 100);
    const first = stream.next();
    await settled();
    assert.equal(reads.length, 1);
    for (let i = 0; i < reads.length; i += 1) reads[i]?.answer();
    await first;
    await settled();
    assert.equal(reads.length, 3, 'two chunks ahead of the first');
    for (const read of reads) read.answer();
    for (let taken = 1; taken < 10; taken += 1) await stream.next();
    await settled();
    assert.equal(reads.length, 3, 'no more before the next chunk is begun');
    await stream.next();
    await settled();
    assert.equal(reads.length, 4);
    await stream.return?.();
  });

  it('chunks that come in another order are streamed in the order of the request', async () => {
    const { store, reads } = gatedStore();
    const { stream } = streamOf(store, 30);
    const results: unknown[] = [];
    const consumed = (async () => {
      for (let it = await stream.next(); !it.done; it = await stream.next()) results.push(it.value);
    })();
    await settled();
    reads[0]?.answer();
    await settled();
    reads[2]?.answer();
    await settled();
    assert.equal(results.length, 10);
    reads[1]?.answer();
    await consumed;
    assert.deepEqual(
      reads.flatMap((it) => it.wanted.map((one) => one.userId)),
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    assert.equal(results.length, 30);
  });

  it('no more after an early end, and cancels what is being read', async () => {
    const { store, reads } = gatedStore();
    const { stream, ownListeners } = streamOf(store, 100);
    const first = stream.next();
    reads[0]?.answer();
    await first;
    await settled();
    assert.equal(reads.length, 3);
    assert.ok(ownListeners() > 0);
    await stream.return?.();
    await settled();
    assert.deepEqual(
      reads.slice(1).map((it) => it.signal.aborted),
      [true, true],
    );
    reads[1]?.answer();
    reads[2]?.fail(new Error('nobody waits for this any more'));
    await settled();
    assert.equal(reads.length, 3);
    assert.equal(ownListeners(), 0);
  });

  it('no more after an abort, and ends with its reason', async () => {
    const { store, reads } = gatedStore();
    const caller = new AbortController();
    const { stream } = streamOf(store, 100, caller.signal);
    const first = stream.next();
    reads[0]?.answer();
    await first;
    const reason = new ConnectError('gone', Code.Canceled);
    caller.abort(reason);
    await assert.rejects(stream.next(), reason);
    await settled();
    assert.ok(reads.slice(1).every((it) => it.signal.aborted));
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
    assert.equal(reads.length, 3);
  });

  it('no more after an abort between two chunks, and does not end as if all were answered', async () => {
    const { store, reads } = gatedStore();
    const caller = new AbortController();
    const limits = limitsWith({ readChunkUsers: 1, readAheadChunks: 0 });
    const context = contextOf('getUsers', caller.signal);
    const stream = usersService({ store, limits }).getUsers(request(2), context)[Symbol.asyncIterator]();
    const first = stream.next();
    reads[0]?.answer();
    await first;
    const reason = new ConnectError('gone', Code.Canceled);
    caller.abort(reason);
    await assert.rejects(stream.next(), reason);
    assert.equal(reads.length, 1);
  });

  for (const count of [3, 100])
    it(`ends at once when aborted while the store hangs, with ${count} users`, async () => {
      const { store, reads } = gatedStore();
      const caller = new AbortController();
      const { stream } = streamOf(store, count, caller.signal);
      const first = stream.next();
      await settled();
      const reason = new ConnectError('gone', Code.Canceled);
      caller.abort(reason);
      await assert.rejects(first, reason);
      assert.ok(reads[0]?.signal.aborted);
    });

  it('nothing for a call that is over already', async () => {
    const { store, reads } = gatedStore();
    const reason = new ConnectError('gone', Code.Canceled);
    const { stream } = streamOf(store, 100, AbortSignal.abort(reason));
    await assert.rejects(stream.next(), reason);
    assert.equal(reads.length, 0);
  });

  it('what came before a fault, then ends with it; a read ahead that fails harms nobody before its turn', async () => {
    const { store, reads } = gatedStore();
    const { stream } = streamOf(store, 100);
    const first = stream.next();
    reads[0]?.answer();
    await first;
    await settled();
    reads[1]?.fail(new StoreError('throttled', { retrySafe: true, retryAfterMs: 50 }));
    await settled();
    for (let taken = 1; taken < 10; taken += 1) assert.equal((await stream.next()).done, false);
    await assert.rejects(stream.next(), (error) => {
      assert.ok(error instanceof ConnectError);
      assert.equal(error.code, Code.Unavailable);
      assert.ok(error.details.some((it) => 'desc' in it && it.desc === RetryInfoSchema));
      return true;
    });
    await settled();
    assert.ok(reads[2]?.signal.aborted);
  });
});
