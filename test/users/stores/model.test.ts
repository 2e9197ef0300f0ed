// Whatever is asked of them in whatever order, the SQLite store and the store in memory answer the same: sign-ups,
// changes and removals one by one and many at once, prechecks, look-ups, pages, copies, time that passes, and (for
// SQLite) closing and opening the file again.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Account,
  type Candidate,
  type Change,
  firstEtag,
  type Listing,
  type RequestKey,
  type SignUp,
  type UserKey,
  type UserStore,
  type Wanted,
} from '../../../functions/users/store.ts';
import { memoryStore } from '../../../functions/users/stores/memory.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { everybody, plain, unbounded } from './contract-setting.ts';

type Operation =
  | { readonly kind: 'write'; readonly writes: readonly Write[] }
  | { readonly kind: 'read'; readonly read: Read }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'reopen' };

type Write =
  | { readonly kind: 'signUp'; readonly signUp: SignUp }
  | ({ readonly kind: 'change'; readonly of: Of } & Omit<Change, 'from'>)
  | { readonly kind: 'remove'; readonly of: Of; readonly holdMs: number };

/** One of those who have been there, or nobody, as it was read last or before. */
interface Of {
  readonly pick: number;
  readonly isStale: boolean;
}

type Read =
  | { readonly kind: 'precheck'; readonly candidate: Candidate }
  | { readonly kind: 'find'; readonly wanted: readonly Wanted[] }
  | { readonly kind: 'account'; readonly key: UserKey }
  | { readonly kind: 'recall'; readonly requestId: string }
  | { readonly kind: 'list'; readonly listing: Listing }
  | { readonly kind: 'all' };

// Few values each, so that they meet; some differ in case or composition alone.
const username = fc.constantFrom('ann', 'Ann', 'bob', 'BOB', 'eve', 'Zo\u00eb', 'zoe\u0308', "o'%_;--");
const email = fc.option(fc.constantFrom('a@x.org', 'A@X.org', 'b@x.org', 'c@x.org'), { nil: undefined });
const userId = fc.constantFrom(1, 2, 3, 4, 2 ** 31, 2 ** 32 - 1);
const request = fc.option(
  fc.record({
    id: fc.constantFrom('r1', 'r2', 'r3'),
    fingerprint: fc.constantFrom('f', 'g'),
    expiresAtMs: fc.constantFrom(50, 100, 150), // from now
  }),
  { nil: undefined },
);
const requestId = fc.constantFrom('r1', 'r2', 'r3');
const etag = fc.constantFrom(firstEtag, 'e1', 'e2', 'e3');
const passwordHash = fc.option(fc.constantFrom('$1', '$2'), { nil: undefined });
const createdAtMs = fc.option(fc.constantFrom(1, 1_700_000_000_123), { nil: undefined });
const signUp: fc.Arbitrary<SignUp> = fc
  .record({ username, userId, email, request, passwordHash, createdAtMs, etag: fc.option(etag) })
  .map(({ etag, email, passwordHash, request, ...rest }) => ({
    ...rest,
    ...(etag !== null && { etag }),
    ...(email !== undefined && { email }),
    ...(passwordHash !== undefined && { passwordHash }),
    ...(request !== undefined && { request }),
  }));
const orNull = <T>(some: fc.Arbitrary<T>) => fc.oneof(some, fc.constant(null));
const of = fc.record({ pick: fc.nat({ max: 5 }), isStale: fc.boolean() });
const is = <K extends string>(kind: K) => fc.constant(kind);
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: is('signUp'), signUp }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: is('change'),
      of,
      etag,
      username: fc.option(username, { nil: undefined }),
      email: orNull(email),
      passwordHash: orNull(passwordHash),
      request,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: is('remove'), of, holdMs: fc.constantFrom(-1, 0, 50, 150) }),
  },
);
const candidate: fc.Arbitrary<Candidate> = fc
  .record({ username, email, requestId: fc.option(requestId) })
  .map(({ username, email, requestId }) => ({
    username,
    ...(email !== undefined && { email }),
    ...(requestId !== null && { requestId }),
  }));
const wanted = fc.record({ username: fc.oneof(fc.constant(''), username), userId });
const key: fc.Arbitrary<UserKey> = fc.oneof(
  fc.record({ username }),
  fc.record({ userId }),
  fc.record({ email: fc.constantFrom('a@x.org', 'A@X.org', 'b@x.org', 'c@x.org') }),
);
const listing = fc.record({
  prefix: fc.constantFrom('', 'a', 'bo', 'zo', 'e', '0', '~'),
  after: fc.constantFrom('', 'a', 'ann', 'b', 'b~', 'bob', 'eve', 'eve~', 'z', '~'),
  maxUsers: fc.integer({ min: 1, max: 4 }),
});
const read: fc.Arbitrary<Read> = fc.oneof(
  fc.record({ kind: is('precheck'), candidate }),
  fc.record({ kind: is('find'), wanted: fc.array(wanted, { maxLength: 8 }) }),
  fc.record({ kind: is('account'), key }),
  fc.record({ kind: is('recall'), requestId }),
  fc.record({ kind: is('list'), listing }),
  fc.record({ kind: is('all') }),
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: is('write'), writes: fc.array(write, { maxLength: 6 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: is('read'), read }) },
  { weight: 2, arbitrary: fc.record({ kind: is('wait'), ms: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: is('reopen') }) },
);

async function answerTo(store: UserStore, read: Read): Promise<unknown> {
  if (read.kind === 'precheck') return store.precheck(read.candidate, unbounded);
  if (read.kind === 'find') return store.find(read.wanted, unbounded);
  if (read.kind === 'recall') return store.recall(read.requestId, unbounded);
  if (read.kind === 'list') return store.list(read.listing, unbounded);
  if (read.kind === 'all') return (await everybody(store)).toSorted((a, b) => a.userId - b.userId);
  const account = await store.account(read.key, unbounded);
  return account && plain(account);
}

/** @param accountOf the user whom a change or a removal is of */
async function resultOf(
  store: UserStore,
  write: Write,
  nowMs: number,
  accountOf: (of: Of) => Account,
): Promise<unknown> {
  const dated = (request: RequestKey | undefined) =>
    request && { ...request, expiresAtMs: nowMs + request.expiresAtMs };
  if (write.kind === 'remove') {
    const removal = { from: accountOf(write.of), heldUntilMs: nowMs + write.holdMs };
    return store.remove(removal, unbounded);
  }
  if (write.kind === 'change') {
    const { of, kind: _, ...change } = write;
    const from = accountOf(of);
    const result = await store.change({ ...change, from, request: dated(change.request) }, unbounded);
    return result.outcome === 'changed' ? plain(result.account) : result.outcome;
  }
  const { request, ...rest } = write.signUp;
  return store.signUp({ ...rest, ...(request && { request: dated(request) }) }, unbounded);
}

test('SQLite and memory agree on random operations', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-model-'));
  let run = 0;
  const happened = new Set<string>();
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
        let nowMs = 1_000_000;
        const now = () => nowMs;
        const path = join(folder, `${run++}.sqlite`);
        const memory = memoryStore({ now });
        let sqlite = openSqliteStore({ path, now });
        /** What was read of each user the last time but one, and the last time. */
        const readings = new Map<number, [Account, Account]>();
        const accountOf = ({ pick, isStale }: Of) =>
          [...readings.values()][pick]?.[isStale ? 0 : 1] ?? {
            username: 'nobody',
            userId: 9,
            etag: firstEtag,
          };
        try {
          for (const step of operations) {
            if (step.kind === 'wait') nowMs += step.ms;
            if (step.kind === 'read') {
              assert.deepEqual(await answerTo(sqlite, step.read), await answerTo(memory, step.read));
            }
            if (step.kind === 'reopen') {
              await sqlite.close();
              sqlite = openSqliteStore({ path, now });
            }
            if (step.kind !== 'write') continue;
            const [actual, expected] = await Promise.all(
              [sqlite, memory].map((store) =>
                Promise.all(step.writes.map((each) => resultOf(store, each, nowMs, accountOf))),
              ),
            );
            assert.deepEqual(actual, expected);
            for (const [i, { kind }] of step.writes.entries()) {
              const result = Object(expected?.[i]);
              happened.add(`${kind} ${result.outcome ?? result.etag ?? result}`.replace(/e\d|first/, 'made'));
            }
            const everyone = await everybody(memory);
            assert.deepEqual(
              await answerTo(sqlite, { kind: 'all' }),
              await answerTo(memory, { kind: 'all' }),
            );
            for (const each of everyone)
              readings.set(each.userId, [readings.get(each.userId)?.[1] ?? each, each]);
          }
        } finally {
          await sqlite.close();
        }
      }),
      { numRuns: Number(process.env.MODEL_RUNS ?? 100) },
    );
    // Otherwise they agree on little. (What a hundred runs may lack, the contract suite has.)
    for (const result of [
      'signUp created',
      'signUp username_taken',
      'change made',
      'change outdated',
      'remove true',
    ])
      assert.ok(happened.has(result), result);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
