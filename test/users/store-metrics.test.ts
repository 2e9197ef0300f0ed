// Proves what is measured of stores and of the hashing of passwords, and that the trace of a call has a span for each
// call of the store and each hash.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Metrics } from '../../functions/rpc/index.ts';
import { CallTrace, traceKey } from '../../functions/rpc/telemetry/trace.ts';
import { StoreError } from '../../functions/users/store.ts';
import { storeMetrics } from '../../functions/users/store-metrics.ts';
import { storeOperations, watchedStore } from '../../functions/users/store-watch.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { CreateUserRequestSchema, GetUsersRequestSchema } from '../../proto/gen/users_types_pb.js';
import { contextOf, limitsWith, storeWith, usersService } from './serving.ts';
import { unbounded } from './stores/contract-setting.ts';

/** The series of a metric: its labels, and its count or value. */
function seriesOf(metrics: Metrics, name: string): string[] {
  const metric = metrics.collect().find((it) => it.name === name) ?? assert.fail(name);
  const points = metric.kind === 'histogram' ? metric.points.map((it) => [it.labels, it.count]) : undefined;
  const numbers = metric.kind === 'histogram' ? [] : metric.points.map((it) => [it.labels, it.value]);
  return (points ?? numbers).map(([labels, value]) => `${Object.values(labels ?? {}).join(' ')} ${value}`);
}

it('counts calls of a store by what they were and how they ended, and what it does by itself', async () => {
  const metrics = new Metrics();
  const measured = storeMetrics(metrics);
  const named = Object.assign(new Error('slow down'), { name: 'ThrottlingException' });
  const full = Object.assign(new Error('full'), { errcode: 13 });
  let cause: Error | undefined = named;
  const store = watchedStore(
    storeWith({
      system: 'aws.dynamodb',
      signUp: async () => {
        throw new StoreError('no', { retrySafe: true, cause });
      },
    }),
    [measured.of('aws.dynamodb')],
  );
  await store.find([{ username: 'ann', userId: 0 }], unbounded);
  await store.find(
    Array.from({ length: 100 }, () => ({ username: 'ann', userId: 0 })),
    unbounded,
  );
  await store.precheck({ username: 'ann' }, unbounded);
  await assert.rejects(store.find([], AbortSignal.abort()));
  for (cause of [named, full, undefined]) {
    await assert.rejects(store.signUp({ username: 'ann', userId: 1 }, unbounded), StoreError);
  }
  measured.retried('aws.dynamodb');
  measured.retried('aws.dynamodb');
  measured.readFor('aws.dynamodb', 100, [unbounded, unbounded]);
  const series = seriesOf(metrics, 'db.client.operation.duration');
  for (const operation of storeOperations)
    assert.ok(
      series.some((it) => it.includes(` ${operation} `)),
      operation,
    );
  const counted = series.filter((it) => !it.endsWith(' 0'));
  assert.deepEqual(counted.sort(), [
    'aws.dynamodb find 2',
    'aws.dynamodb find cancelled 1',
    'aws.dynamodb precheck 1',
    'aws.dynamodb signUp 13 1',
    'aws.dynamodb signUp StoreError 1',
    'aws.dynamodb signUp ThrottlingException 1',
  ]);
  assert.deepEqual(seriesOf(metrics, 'db.client.operation.batch.size'), ['aws.dynamodb find 3']);
  assert.deepEqual(seriesOf(metrics, 'db.client.retries'), ['aws.dynamodb 2']);
  assert.deepEqual(seriesOf(metrics, 'db.client.throttles'), ['aws.dynamodb 0']);
  for (const [name, sum] of [
    ['db.client.request.keys', 100],
    ['db.client.request.calls', 2],
  ]) {
    const metric = metrics.collect().find((it) => it.name === name);
    assert.deepEqual(metric?.kind === 'histogram' && metric.points.map((it) => it.sum), [sum]);
  }
});

it('counts passwords that are hashed, and that wait', async () => {
  const metrics = new Metrics();
  const service = usersService({ metrics, limits: limitsWith({ maxConcurrentHashes: 1 }) });
  const signUp = (username: string) => {
    const request = create(CreateUserRequestSchema, { username, password: 'long enough' });
    return service.createUser(request, contextOf('createUser'));
  };
  const calls = ['ann', 'bob', 'tom'].map(signUp);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seriesOf(metrics, 'users.passwords.hashing'), [' 1']);
  assert.deepEqual(seriesOf(metrics, 'users.passwords.queued'), [' 2']);
  await Promise.all(calls);
  assert.deepEqual(seriesOf(metrics, 'users.passwords.hashing'), [' 0']);
  assert.deepEqual(seriesOf(metrics, 'users.password.hash.duration'), [' 3']);
});

it('has spans in the trace of a call, as many as there were calls of the store', async () => {
  const trace = () =>
    new CallTrace({ traceId: '1'.repeat(32), isSampled: true, parent: undefined, link: undefined });
  const service = usersService({ store: memoryStore(), limits: limitsWith({ readChunkUsers: 2 }) });
  const [creating, reading] = [trace(), trace()];
  const context = contextOf('createUser');
  context.values.set(traceKey, creating);
  await service.createUser(
    create(CreateUserRequestSchema, { username: 'ann', password: 'long enough' }),
    context,
  );
  const spans = (of: CallTrace) => of.spans.map(({ name, attributes }) => [name, attributes]);
  const system = { 'db.system.name': 'memory' };
  assert.deepEqual(spans(creating), [
    ['store.precheck', { ...system, 'db.operation.name': 'precheck', 'db.operation.batch.size': 1 }],
    ['password.hash', {}],
    ['store.signUp', { ...system, 'db.operation.name': 'signUp', 'db.operation.batch.size': 1 }],
  ]);
  const many = contextOf('getUsers');
  many.values.set(traceKey, reading);
  const request = create(GetUsersRequestSchema, { user: [1, 2, 3].map((userId) => ({ userId })) });
  for await (const { result } of service.getUsers(request, many)) assert.equal(result?.case, 'missing');
  assert.deepEqual(
    reading.spans.map((it) => [it.name, it.attributes['db.operation.batch.size']]),
    [
      ['store.find', 2],
      ['store.find', 1],
    ],
  );
  for (const span of [...creating.spans, ...reading.spans]) {
    assert.ok(span.endedAtMs !== undefined && span.endedAtMs >= span.startedAtMs, span.name);
    assert.equal(span.error, undefined);
  }
});

it('a span shows what its call of the store has failed with', async () => {
  const cause = new StoreError('full', { retrySafe: false });
  const store = storeWith({ find: () => Promise.reject(cause) });
  const of = new CallTrace({ traceId: '1'.repeat(32), isSampled: true, parent: undefined, link: undefined });
  const context = contextOf('getUsers');
  context.values.set(traceKey, of);
  const request = create(GetUsersRequestSchema, { user: [{ userId: 1 }] });
  const results = usersService({ store }).getUsers(request, context)[Symbol.asyncIterator]();
  await assert.rejects(results.next());
  assert.equal(of.spans[0]?.error, cause);
  assert.ok(of.spans[0]?.endedAtMs !== undefined);
});
