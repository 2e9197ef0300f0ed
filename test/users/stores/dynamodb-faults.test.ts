// The DynamoDB store stands what DynamoDB may do: throttle, cancel, leave out keys, hang, lose an answer, fail. A
// real endpoint answers; a proxy in front of it makes the faults. Runs where DYNAMODB_ENDPOINT is set.
import assert from 'node:assert/strict';
import { limits } from '../../../functions/limits.ts';
import { openDynamoStore } from '../../../functions/users/stores/dynamodb.ts';
import { unbounded } from './contract-setting.ts';
import {
  ann,
  endpoint,
  failsWith,
  itemsOf,
  request,
  users,
  wanted,
  withoutEndpoint,
  withProxy,
} from './dynamodb-setting.ts';

if (endpoint === undefined) withoutEndpoint('DynamoDB faults');
else faults(endpoint);

function faults(endpoint: string): void {
  /** Few tries, for what would else take seconds; the time for a real answer stays long. */
  const short = { ...limits, dynamoMaxAttempts: 2, dynamoMaxTries: 3 };
  const throttled = { status: 400, type: 'ProvisionedThroughputExceededException' };

  withProxy(endpoint, 'throttled for a moment, calls succeed', async (setting) => {
    const { store, proxy } = setting;
    proxy.fault = ({ number }) => (number === 1 ? throttled : 'pass');
    assert.equal((await store.signUp(ann, unbounded)).outcome, 'created');
    assert.deepEqual(await store.find([{ username: 'ann', userId: 0 }], unbounded), [ann]);
    assert.deepEqual(Object.fromEntries(proxy.seen), { TransactWriteItems: 2, BatchGetItem: 2 });
    assert.deepEqual(setting.events, { retries: 2, throttles: 2 }, 'they are counted');
  });

  withProxy(endpoint, 'a probe writes nothing, and fails as calls do', async (setting) => {
    const { store, proxy } = setting;
    await store.probe(unbounded);
    assert.deepEqual(Object.fromEntries(proxy.seen), { TransactWriteItems: 1, BatchGetItem: 1 });
    assert.deepEqual(await itemsOf(setting.table), []);
    for (const action of ['BatchGetItem', 'TransactWriteItems']) {
      const denied = { status: 400, type: 'AccessDeniedException' };
      proxy.fault = (passing) => (passing.action === action ? denied : 'pass');
      await assert.rejects(store.probe(unbounded), failsWith(/AccessDenied/, false));
    }
  });

  withProxy(
    endpoint,
    'a probe waits for no reads of calls',
    async ({ store, proxy }) => {
      const gone = new AbortController();
      const hanging = Promise.withResolvers<void>();
      proxy.fault = ({ body }) => {
        if (!body.includes('slow')) return 'pass';
        hanging.resolve();
        return 'hang';
      };
      const call = store.find([{ username: 'slow', userId: 0 }], gone.signal);
      const ends = assert.rejects(call, (error) => error === gone.signal.reason);
      await hanging.promise;
      await store.probe(unbounded);
      gone.abort(new Error('enough'));
      await ends;
    },
    {
      ...limits,
      dynamoMaxConcurrentReads: 1,
      dynamoMaxReadWaitMs: 60_000,
      dynamoAttemptTimeoutMs: 60_000,
    },
  );

  withProxy(
    endpoint,
    'throttled for long, calls fail and may be repeated, id or not',
    async (setting) => {
      const { store, proxy } = setting;
      for (const type of [
        'ProvisionedThroughputExceededException',
        'ThrottlingException',
        'RequestLimitExceeded',
      ]) {
        proxy.fault = () => ({ status: 400, type });
        await assert.rejects(store.find(wanted, unbounded), failsWith(new RegExp(type), true));
        await assert.rejects(store.signUp(ann, unbounded), failsWith(new RegExp(type), true));
      }
      proxy.fault = () => 'pass';
      assert.deepEqual(await itemsOf(setting.table), []);
      assert.equal((await store.signUp(ann, unbounded)).outcome, 'created');
    },
    { ...short, dynamoMaxAttempts: 1 },
  );

  for (const Code of ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']) {
    const cancelled = (...codes: string[]) => ({
      status: 400,
      type: 'TransactionCanceledException',
      fields: { CancellationReasons: codes.map((code) => ({ Code: code })) },
    });
    withProxy(
      endpoint,
      `a transaction cancelled by ${Code} is tried again, for a time`,
      async ({ store, proxy }) => {
        proxy.fault = ({ number }) => (number < 3 ? cancelled('None', Code) : 'pass');
        assert.equal((await store.signUp(ann, unbounded)).outcome, 'created');
        assert.equal(proxy.seen.get('TransactWriteItems'), 3);
        // What comes first decides: the name may be taken by this very request id, which is still in conflict.
        proxy.fault = ({ number }) =>
          number === 4 ? cancelled(Code, 'ConditionalCheckFailed', 'None') : 'pass';
        assert.equal(
          (await store.signUp({ username: 'bob', userId: 8, request }, unbounded)).outcome,
          'created',
        );
        proxy.fault = () => cancelled('None', Code);
        await assert.rejects(
          store.signUp({ username: 'eve', userId: 9 }, unbounded),
          failsWith(/3 tries/, true),
        );
      },
      short,
    );
  }

  withProxy(
    endpoint,
    'keys that a batch leaves out are read again until none is left',
    async ({ store, proxy, table }) => {
      await Promise.all(users.map((user) => store.signUp(user, unbounded)));
      proxy.fault = ({ action, body }) => {
        if (action !== 'BatchGetItem') return 'pass';
        const batch = JSON.parse(body);
        const [now, later] = [
          batch.RequestItems[table.name].Keys.slice(0, 30),
          batch.RequestItems[table.name].Keys.slice(30),
        ];
        batch.RequestItems[table.name].Keys = now;
        const rest = { ...batch.RequestItems[table.name], Keys: later };
        return {
          request: JSON.stringify(batch),
          answer: (answer) => ({
            ...answer,
            UnprocessedKeys: later.length > 0 ? { [table.name]: rest } : {},
          }),
        };
      };
      assert.deepEqual(await store.find(wanted, unbounded), users);
      assert.equal(proxy.seen.get('BatchGetItem'), 4);
      proxy.seen.clear();
      proxy.fault = ({ body }) => ({
        request: body,
        answer: () => ({ Responses: {}, UnprocessedKeys: JSON.parse(body).RequestItems }),
      });
      await assert.rejects(store.find(wanted, unbounded), failsWith(/left out 100 keys 3 times/, true));
      assert.equal(proxy.seen.get('BatchGetItem'), 3);
    },
    short,
  );

  for (const fault of ['hang', 'stall'] as const) {
    withProxy(
      endpoint,
      `a call whose answer does ${fault} ends with its signal, and its socket at its time`,
      async (setting) => {
        const { store, proxy } = setting;
        const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
          (signal) => store.find(wanted, signal),
          (signal) => store.signUp(ann, signal),
        ];
        for (const call of calls) {
          const controller = new AbortController();
          const reason = new Error('the deadline passed');
          proxy.fault = () => {
            setImmediate(() => controller.abort(reason));
            return fault;
          };
          await assert.rejects(call(controller.signal), (error) => error === reason);
        }
        await proxy.givenUp;
        proxy.fault = () => 'pass';
        assert.equal((await store.signUp(ann, unbounded)).outcome, 'created');
      },
    );
  }

  withProxy(
    endpoint,
    'calls share a request, not their ends: who goes leaves the others, who fails fails in its own words',
    async (setting) => {
      const { store, proxy } = setting;
      await store.signUp(ann, unbounded);
      const gone = new AbortController();
      const ofAnn = { username: 'ann', userId: 0 };
      proxy.fault = ({ number }) => {
        if (number > 1) return 'pass';
        setImmediate(() => gone.abort(new Error('gone')));
        return 'hang';
      };
      proxy.seen.clear();
      const leaves = store.find([ofAnn], gone.signal);
      const stays = store.find([ofAnn], unbounded);
      await assert.rejects(leaves, (error) => error === gone.signal.reason);
      assert.deepEqual(await stays, [ann]);
      assert.equal(proxy.seen.get('BatchGetItem'), 2, 'tried again for who stays');
      proxy.fault = () => ({ status: 400, type: 'AccessDeniedException' });
      const calls = [store.find([ofAnn], unbounded), store.precheck(ann, unbounded)];
      const failures = await Promise.allSettled(calls);
      const errors = failures.map((it) => it.status === 'rejected' && it.reason);
      for (const error of errors) failsWith(/could not read users: AccessDenied/, false)(error);
      assert.equal(new Set(errors).size, 2);
      assert.equal(proxy.seen.get('BatchGetItem'), 3, 'both were in one request');
    },
    { ...limits, dynamoAttemptTimeoutMs: 1000 },
  );

  withProxy(
    endpoint,
    'requests that hang hold up nobody else while there are sockets',
    async ({ store, proxy }) => {
      await store.signUp(ann, unbounded);
      const slow = limits.dynamoMaxConcurrentReads + 1;
      const gone = new AbortController();
      const hanging = Promise.withResolvers<void>();
      proxy.fault = ({ body }) => {
        if (!body.includes('slow')) return 'pass';
        if (proxy.seen.get('BatchGetItem') === slow) hanging.resolve();
        return 'hang';
      };
      proxy.seen.clear();
      const ends: Promise<void>[] = [];
      for (let i = 0; i < slow; i += 1) {
        const call = store.find([{ username: `slow${i}`, userId: 0 }], gone.signal);
        ends.push(assert.rejects(call, (error) => error === gone.signal.reason));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await hanging.promise;
      assert.deepEqual(await store.find([{ username: 'ann', userId: 0 }], unbounded), [ann]);
      gone.abort(new Error('enough'));
      await Promise.all(ends);
    },
    // None of them is tried again meanwhile.
    { ...limits, dynamoAttemptTimeoutMs: 60_000 },
  );

  withProxy(
    endpoint,
    'a request that hangs is tried again on another socket',
    async ({ store, proxy }) => {
      proxy.fault = ({ number }) => (number === 1 ? 'hang' : 'pass');
      assert.equal((await store.signUp(ann, unbounded)).outcome, 'created');
      assert.deepEqual(await store.find([{ username: 'ann', userId: 0 }], unbounded), [ann]);
    },
    { ...limits, dynamoAttemptTimeoutMs: 1000 },
  );

  withProxy(
    endpoint,
    'requests that always hang fail, and may be repeated if that is known to be safe',
    async ({ store, proxy }) => {
      proxy.fault = () => 'hang';
      await assert.rejects(store.find(wanted, unbounded), failsWith(/TimeoutError/, true));
      await assert.rejects(store.signUp({ ...ann, request }, unbounded), failsWith(/TimeoutError/, true));
      await assert.rejects(store.signUp(ann, unbounded), failsWith(/TimeoutError/, false));
    },
    { ...short, dynamoAttemptTimeoutMs: 500 },
  );

  withProxy(
    endpoint,
    "a write whose answer is lost is not taken for somebody else's",
    async (setting) => {
      const { store, proxy } = setting;
      proxy.fault = ({ number }) => (number === 1 ? 'lose' : 'pass');
      assert.deepEqual(await store.signUp(ann, unbounded), { outcome: 'created', user: ann });
      const bob = { username: 'bob', userId: 8, request };
      proxy.fault = () => 'lose';
      await assert.rejects(store.signUp(bob, unbounded), failsWith(/could not store/, true));
      proxy.fault = () => 'pass';
      const user = { username: 'bob', userId: 8 };
      assert.deepEqual(await store.signUp({ ...bob, userId: 9 }, unbounded), { outcome: 'repeated', user });
      assert.equal((await itemsOf(setting.table)).length, 2 + 3);
    },
    short,
  );

  withProxy(
    endpoint,
    'a fault of the server may follow a write, a refusal follows none',
    async ({ store, proxy }) => {
      const failed = (type: string, status: number) => {
        proxy.fault = () => ({ type, status });
      };
      failed('InternalServerError', 500);
      await assert.rejects(
        store.signUp({ ...ann, request }, unbounded),
        failsWith(/InternalServerError/, true),
      );
      await assert.rejects(store.signUp(ann, unbounded), failsWith(/InternalServerError/, false));
      failed('AccessDeniedException', 400);
      await assert.rejects(store.signUp({ ...ann, request }, unbounded), failsWith(/AccessDenied/, false));
      failed('TransactionInProgressException', 400);
      await assert.rejects(store.signUp({ ...ann, request }, unbounded), failsWith(/InProgress/, true));
    },
    { ...short, dynamoMaxAttempts: 1 },
  );

  withProxy(endpoint, 'sockets are bounded, and closed with the store', async ({ store, proxy, table }) => {
    const few = await openDynamoStore({
      table: table.name,
      endpoint: proxy.url,
      limits: { ...limits, dynamoMaxSockets: 3 },
    });
    await store.close();
    let most = 0;
    proxy.fault = () => {
      proxy.connections().then((count) => {
        most = Math.max(most, count);
      });
      return 'pass';
    };
    const results = await Promise.all(users.slice(0, 20).map((user) => few.signUp(user, unbounded)));
    assert.ok(results.every(({ outcome }) => outcome === 'created'));
    assert.equal(most, 3);
    proxy.seen.clear();
    let closed: Promise<void> | undefined;
    proxy.fault = () => {
      closed = few.close();
      return 'pass';
    };
    assert.equal((await few.find(wanted, unbounded)).length, 100);
    await closed;
    assert.equal(proxy.seen.get('BatchGetItem'), 1, 'not cut off and tried again');
    while ((await proxy.connections()) > 0) await new Promise((resolve) => setImmediate(resolve));
  });
}
