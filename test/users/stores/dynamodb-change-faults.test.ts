// What happens to changes, removals, pages and copies while DynamoDB throttles, cancels, hangs, loses an answer or
// fails: all of it or nothing, and whoever calls learns whether to repeat. Runs where DYNAMODB_ENDPOINT is set.
import assert from 'node:assert/strict';
import { limits } from '../../../functions/limits.ts';
import type { Account, UserStore } from '../../../functions/users/store.ts';
import { everybody, kept, listed, signedUp, unbounded } from './contract-setting.ts';
import type { Fault } from './dynamodb-proxy.ts';
import {
  ann,
  endpoint,
  failsWith,
  itemsOf,
  request,
  type Setting,
  withoutEndpoint,
  withProxy,
} from './dynamodb-setting.ts';

if (endpoint === undefined) withoutEndpoint('DynamoDB faults of changes');
else faults(endpoint);

function faults(endpoint: string): void {
  /** Few tries, for what would else take seconds; the time for a real answer stays long. */
  const short = { ...limits, dynamoMaxAttempts: 2, dynamoMaxTries: 3 };
  const throttled: Fault = { status: 400, type: 'ProvisionedThroughputExceededException' };
  const cancelled = (...codes: string[]): Fault => ({
    status: 400,
    type: 'TransactionCanceledException',
    fields: { CancellationReasons: codes.map((code) => ({ Code: code })) },
  });
  const heldUntilMs = Date.now() + 60_000;
  const signUp = { ...ann, email: 'ann@x.org', passwordHash: '$argon2id$' };
  const toZoe = { etag: 'e1', username: 'Zoe', email: 'zoe@x.org' };

  /** Signs Ann up, with nothing in the way. */
  async function annOf({ store, proxy }: Pick<Setting, 'store' | 'proxy'>): Promise<Account> {
    proxy.fault = () => 'pass';
    const from = await signedUp(store, signUp);
    proxy.seen.clear();
    return from;
  }

  withProxy(endpoint, 'throttled for a moment, every call succeeds', async (setting) => {
    const { store, proxy } = setting;
    const from = await annOf(setting);
    const once: Setting['proxy']['fault'] = ({ number }) => (number === 1 ? throttled : 'pass');
    proxy.fault = once;
    assert.equal((await store.change({ from, ...toZoe, request }, unbounded)).outcome, 'changed');
    assert.deepEqual(await store.recall(request.id, unbounded), { fingerprint: 'f', userId: 7 });
    assert.deepEqual(await listed(store, { prefix: 'z' }), ['Zoe']);
    assert.deepEqual(await everybody(store), [await kept(store, { userId: 7 })]);
    assert.deepEqual(setting.events, { retries: 4, throttles: 4 }, 'they are counted');
    proxy.seen.clear();
    const zoe = await kept(store, { username: 'zoe' });
    assert.equal(await store.remove({ from: zoe, heldUntilMs }, unbounded), true);
    assert.deepEqual(await everybody(store), []);
  });

  withProxy(
    endpoint,
    'throttled for long, every call fails, may be repeated, and has changed nothing',
    async (setting) => {
      const { store, proxy } = setting;
      const from = await annOf(setting);
      const before = await itemsOf(setting.table);
      proxy.fault = () => throttled;
      for (const call of calls(store, from))
        await assert.rejects(call(unbounded), failsWith(/ProvisionedThroughput/, true));
      assert.deepEqual(await itemsOf(setting.table), before);
    },
    { ...short, dynamoMaxAttempts: 1 },
  );

  withProxy(
    endpoint,
    'a copy waits for capacity, for a time',
    async (setting) => {
      const { store, proxy } = setting;
      const from = await annOf(setting);
      proxy.fault = ({ number }) => (number < 3 ? throttled : 'pass');
      assert.deepEqual(await everybody(store), [from]);
      assert.equal(proxy.seen.get('Scan'), 3);
      assert.deepEqual(setting.events, { retries: 2, throttles: 2 });
      proxy.fault = () => throttled;
      await assert.rejects(everybody(store), failsWith(/ProvisionedThroughput/, true));
      assert.equal(proxy.seen.get('Scan'), 6);
    },
    { ...short, dynamoMaxAttempts: 1 },
  );

  for (const Code of ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']) {
    withProxy(
      endpoint,
      `a change and a removal that ${Code} cancels are tried again, for a time`,
      async (setting) => {
        const { store, proxy } = setting;
        const from = await annOf(setting);
        // What comes first decides: the request id in conflict may be this very one.
        proxy.fault = ({ number }) => (number < 3 ? cancelled(Code, 'ConditionalCheckFailed') : 'pass');
        assert.equal((await store.change({ from, ...toZoe, request }, unbounded)).outcome, 'changed');
        assert.equal(proxy.seen.get('TransactWriteItems'), 3);
        proxy.fault = () => 'pass';
        const zoe = await kept(store, { userId: 7 });
        proxy.fault = () => cancelled('None', Code);
        await assert.rejects(
          store.change({ from: zoe, etag: 'e2', email: null }, unbounded),
          failsWith(/gave up a change after 3 tries/, true),
        );
        await assert.rejects(
          store.remove({ from: zoe, heldUntilMs }, unbounded),
          failsWith(/gave up a removal after 3 tries/, true),
        );
        proxy.fault = ({ number }) => (number === 10 ? cancelled('None', Code) : 'pass');
        assert.equal(proxy.seen.get('TransactWriteItems'), 9);
        assert.equal(await store.remove({ from: zoe, heldUntilMs }, unbounded), true);
      },
      short,
    );
  }

  withProxy(endpoint, 'a write whose answer is lost once is known to be made', async (setting) => {
    const { store, proxy } = setting;
    const from = await annOf(setting);
    const loseFirst: Setting['proxy']['fault'] = ({ action }) =>
      action === 'TransactWriteItems' && proxy.seen.get(action) === 1 ? 'lose' : 'pass';
    proxy.fault = loseFirst;
    assert.equal((await store.change({ from, ...toZoe }, unbounded)).outcome, 'changed');
    const zoe = await kept(store, { username: 'zoe' });
    proxy.seen.clear();
    assert.equal(await store.remove({ from: zoe, heldUntilMs }, unbounded), true, 'by this call');
    assert.equal(proxy.seen.get('TransactWriteItems'), 2);
  });

  withProxy(
    endpoint,
    'a write whose answers are all lost may be repeated where that is safe, and is found',
    async (setting) => {
      const { store, proxy } = setting;
      const from = await annOf(setting);
      proxy.fault = () => 'lose';
      const change = { from, ...toZoe };
      await assert.rejects(
        store.change({ ...change, request }, unbounded),
        failsWith(/could not change the user/, true),
      );
      proxy.fault = () => 'pass';
      assert.deepEqual(await store.recall(request.id, unbounded), { fingerprint: 'f', userId: 7 });
      assert.equal((await store.change({ ...change, request }, unbounded)).outcome, 'request_id_known');
      const zoe = await kept(store, { username: 'zoe' });
      proxy.fault = () => 'lose';
      await assert.rejects(
        store.change({ from: zoe, etag: 'e2', email: null }, unbounded),
        failsWith(/could not change the user/, false),
      );
      proxy.fault = () => 'pass';
      const last = await kept(store, { username: 'zoe' });
      assert.equal(last.etag, 'e2');
      proxy.fault = () => ({ status: 500, type: 'InternalServerError' });
      await assert.rejects(
        store.remove({ from: last, heldUntilMs: 0 }, unbounded),
        failsWith(/could not remove the user/, false),
        'the name may be another user’s by the time of a repeat',
      );
      proxy.fault = () => 'lose';
      await assert.rejects(
        store.remove({ from: last, heldUntilMs }, unbounded),
        failsWith(/could not remove the user/, true),
      );
      proxy.fault = () => 'pass';
      assert.equal(await store.remove({ from: last, heldUntilMs }, unbounded), false, 'it is gone');
      const keys = (await itemsOf(setting.table)).map(({ pk }) => pk);
      assert.deepEqual(keys, ['NAME#zoe', 'REQ#r1']);
    },
    short,
  );

  withProxy(
    endpoint,
    'a fault of the server may follow a write, a refusal follows none',
    async (setting) => {
      const { store, proxy } = setting;
      const from = await annOf(setting);
      for (const [type, status, isUnknown] of [
        ['InternalServerError', 500, true],
        ['TransactionInProgressException', 400, true],
        ['AccessDeniedException', 400, false],
      ] as const) {
        proxy.fault = () => ({ type, status });
        const change = { from, ...toZoe };
        await assert.rejects(
          store.change({ ...change, request }, unbounded),
          failsWith(new RegExp(type), isUnknown),
        );
        await assert.rejects(store.change(change, unbounded), failsWith(new RegExp(type), false));
        await assert.rejects(
          store.remove({ from, heldUntilMs }, unbounded),
          failsWith(new RegExp(type), isUnknown),
        );
        await assert.rejects(
          store.list({ prefix: '', after: '', maxUsers: 1 }, unbounded),
          failsWith(new RegExp(type), isUnknown),
        );
      }
    },
    { ...short, dynamoMaxAttempts: 1 },
  );

  for (const fault of ['hang', 'stall'] as const) {
    withProxy(endpoint, `a call whose answer does ${fault} ends with its signal`, async (setting) => {
      const { store, proxy } = setting;
      const from = await annOf(setting);
      for (const call of calls(store, from)) {
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
      assert.deepEqual(await kept(store, { username: 'ann' }), from);
    });
  }

  /** A call of each method, but those of sign-ups. */
  function calls(store: UserStore, from: Account): ((signal: AbortSignal) => Promise<unknown>)[] {
    return [
      (signal) => store.account({ username: 'ann' }, signal),
      (signal) => store.change({ from, ...toZoe }, signal),
      (signal) => store.recall('r1', signal),
      (signal) => store.remove({ from, heldUntilMs }, signal),
      (signal) => store.list({ prefix: '', after: '', maxUsers: 10 }, signal),
      (signal) => everybody(store, signal),
    ];
  }
}
