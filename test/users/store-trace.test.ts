// Proves that the spans of calls which share a request to the store have its id in common, and how many there were;
// that a call which nobody watches is told of to nobody, and is counted all the same.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { CallTrace } from '../../functions/rpc/index.ts';
import { traceKey } from '../../functions/rpc/telemetry/trace.ts';
import { noEvents } from '../../functions/users/store.ts';
import { tracedEvents } from '../../functions/users/store-trace.ts';
import { SharedReads } from '../../functions/users/stores/dynamodb-reads.ts';
import { GetUsersRequestSchema } from '../../proto/gen/users_types_pb.js';
import { contextOf, limitsWith, storeWith, usersService } from './serving.ts';
import { BatchTable, turn } from './stores/batch-table.ts';

it('spans of calls that share a request have its id', async () => {
  const table = new BatchTable();
  const told: number[][] = [];
  const events = tracedEvents({
    ...noEvents,
    readFor: (_, keys, calls) => void told.push([keys, calls.length]),
  });
  const reads = new SharedReads({ table, limits: limitsWith(), events });
  const store = storeWith({
    async find(wanted, signal) {
      for (const { userId } of wanted) await reads.read([`${userId}`], signal);
      return [];
    },
  });
  const service = usersService({ store });

  /** Asks for users, one after the other. */
  async function called(trace: CallTrace | undefined, ...userIds: number[]): Promise<void> {
    const context = contextOf('getUsers');
    context.values.set(traceKey, trace);
    const user = userIds.map((userId) => ({ userId }));
    for await (const _ of service.getUsers(create(GetUsersRequestSchema, { user }), context));
  }
  const traces = Array.from(
    { length: 3 },
    () => new CallTrace({ traceId: '1'.repeat(32), isSampled: true, parent: undefined, link: undefined }),
  );
  const [twice, once, alone] = traces;
  const first = [called(twice, 1, 2), called(once, 3), called(undefined, 4)];
  await turn();
  table.take().answer();
  await turn();
  await turn();
  table.take().answer();
  await Promise.all(first);
  const last = called(alone, 1);
  await turn();
  table.take().answer();
  await last;

  const spans = traces.map(({ spans }) => spans[0]?.attributes ?? {});
  const ids = spans.map((it) => String(it['store.request.ids']).split(' '));
  assert.deepEqual(
    ids.map((it) => it.length),
    [2, 1, 1],
  );
  assert.equal(ids[0]?.[0], ids[1]?.[0]);
  assert.equal(new Set(ids.flat()).size, 3);
  for (const id of ids.flat()) assert.match(id, /^[\da-f]{16}$/);
  assert.deepEqual(
    spans.map((it) => it['store.request.calls']),
    [3, 3, 1],
  );
  assert.equal(spans[0]?.['db.operation.name'], 'find', 'what it had it keeps');
  assert.deepEqual(told, [
    [3, 3],
    [1, 1],
    [1, 1],
  ]);
});
