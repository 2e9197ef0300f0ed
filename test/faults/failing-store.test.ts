// Proves, with a server whose store hangs, fails or has a fault of its own in the middle of each method, what callers
// are told: STORE_UNAVAILABLE, and when to try again where that is safe; nothing of what went wrong; and that the same
// call succeeds once the store is well. And that changes and removals count for readiness as sign-ups do.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { type Client, Code } from '@connectrpc/connect';
import { Readiness } from '../../functions/users/readiness.ts';
import { StoreError, type UserStore } from '../../functions/users/store.ts';
import { type StoreOperation, watchedStore } from '../../functions/users/store-watch.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import type { Users } from '../../proto/gen/users_pb.js';
import { all } from '../support/outcome.ts';
import { eventually } from '../support/patience.ts';
import { addressed, named } from '../users/keys.ts';
import { limitsWith, serveUsers } from '../users/serving.ts';
import { failureOf, outcomeOf, told } from '../users/told.ts';

const tom = { username: 'tom', email: 'tom@example.com', password: 'open sesame' };
const key = named('tom');

/** What the store does with the operation that is broken. */
type Fault = (signal: AbortSignal) => Promise<never>;

const hangs: Fault = (signal) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
const fails =
  (retrySafe: boolean): Fault =>
  async () => {
    throw new StoreError('disk 7 of tom@example.com is full', { retrySafe, retryAfterMs: 2500 });
  };
const isWrong: Fault = async () => {
  throw new TypeError('disk 7 of tom@example.com is undefined');
};

/** A store in memory of which one operation may be broken. */
function breakableStore() {
  const store = memoryStore();
  const broken: { operation?: StoreOperation | undefined; fault: Fault } = { fault: hangs };
  const or = (operation: StoreOperation, signal: AbortSignal) =>
    broken.operation === operation ? broken.fault(signal) : undefined;
  const breakable: UserStore = {
    ...store,
    precheck: (candidate, signal) => or('precheck', signal) ?? store.precheck(candidate, signal),
    signUp: (signUp, signal) => or('signUp', signal) ?? store.signUp(signUp, signal),
    find: (wanted, signal) => or('find', signal) ?? store.find(wanted, signal),
    account: (which, signal) => or('account', signal) ?? store.account(which, signal),
    change: (change, signal) => or('change', signal) ?? store.change(change, signal),
    recall: (id, signal) => or('recall', signal) ?? store.recall(id, signal),
    remove: (removal, signal) => or('remove', signal) ?? store.remove(removal, signal),
    list: (listing, signal) => or('list', signal) ?? store.list(listing, signal),
    async probe() {
      if (broken.operation !== undefined) throw new StoreError('broken', { retrySafe: true });
    },
  };
  return { store: breakable, broken };
}

type Call = (users: Client<typeof Users>) => Promise<unknown>;

/** A retry is safe after a hang: it read, or a repeat finds what was done. */
const safeMs = 1000;
const requestId = randomUUID();
const cases: [what: string, operation: StoreOperation, call: Call, afterHangMs: number | undefined][] = [
  ['CheckPassword', 'account', (users) => users.checkPassword({ key, password: tom.password }), safeMs],
  ['GetAccount', 'account', (users) => users.getAccount({ key: addressed(tom.email) }), safeMs],
  ['GetUsers', 'find', (users) => all(users.getUsers({ user: [{ username: 'tom' }] })), safeMs],
  ['ListUsers', 'list', (users) => users.listUsers({}), safeMs],
  ['UpdateUser', 'account', (users) => users.updateUser({ key, email: 'a@x.org' }), safeMs],
  ['UpdateUser', 'change', (users) => users.updateUser({ key, email: 'a@x.org' }), undefined],
  ['UpdateUser again', 'recall', (users) => users.updateUser({ key, email: 'a@x.org', requestId }), safeMs],
  ['UpdateUser again', 'change', (users) => users.updateUser({ key, email: 'a@x.org', requestId }), safeMs],
  ['DeleteUser', 'account', (users) => users.deleteUser({ key }), safeMs],
  ['DeleteUser', 'remove', (users) => users.deleteUser({ key }), safeMs],
];

describe('a store that breaks in the middle of', () => {
  for (const [what, operation, call, afterHangMs] of cases) {
    it(`${what}, at ${operation}`, async (t) => {
      const { store, broken } = breakableStore();
      const users = await serveUsers(t, { store, limits: limitsWith({ storeTimeoutMs: 20 }) });
      await users.createUser(tom);
      const before = await users.getAccount({ key });
      broken.operation = operation;
      const faults: [Fault, number | undefined][] = [
        [hangs, afterHangMs],
        [fails(true), 2500],
        [fails(false), undefined],
      ];
      for (const [fault, retryAfterMs] of faults) {
        broken.fault = fault;
        assert.deepEqual(told(await failureOf(call(users))), {
          code: 'Unavailable',
          reason: 'STORE_UNAVAILABLE',
          retryAfterMs,
          message: 'the store of the users does not answer',
        });
      }
      broken.fault = isWrong;
      const { code, rawMessage, details } = await failureOf(call(users));
      assert.equal(Code[code], 'Internal');
      assert.doesNotMatch(JSON.stringify([rawMessage, details]), /disk|tom/);
      broken.operation = undefined;
      assert.deepEqual(await users.getAccount({ key }), before, 'nothing has happened');
      assert.equal(await outcomeOf(call(users)), 'OK');
    });
  }
});

describe('Users is not ready, until the store works again, after three failures of', () => {
  // Before request ids, a user is read: where that works, reads are not all broken.
  for (const [what, operation, call] of cases.filter(([, operation]) => operation !== 'recall')) {
    it(`${what}, at ${operation}`, async (t) => {
      const { store, broken } = breakableStore();
      const limits = limitsWith({ storeProbeIntervalMs: 1, unreadyAfterMs: 0 });
      const log = { info() {}, warn() {} };
      const readiness = new Readiness({ store, limits, log });
      t.after(() => readiness.close());
      const changes: string[] = [];
      readiness.follow((isReady, reason) => void changes.push(isReady ? 'ready' : `not ready: ${reason}`));
      const users = await serveUsers(t, { store: watchedStore(store, [readiness]), limits });
      await users.createUser(tom);
      broken.fault = fails(true);
      for (let failures = 0; failures < 3; failures += 1) {
        assert.deepEqual(changes, []);
        broken.operation = operation;
        await failureOf(call(users));
        broken.operation = undefined;
        // Writes and reads are counted apart.
        if (operation === 'change' || operation === 'remove') await users.getAccount({ key });
        else await users.createUser({ username: `other-${failures}` });
      }
      assert.equal(changes[0], 'not ready: disk 7 of tom@example.com is full');
      assert.ok(await eventually(() => changes[1] === 'ready'));
    });
  }
});
