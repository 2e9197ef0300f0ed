// Whatever is asked of them in whatever order, the SQLite store and the store in memory answer the same: sign-ups
// one by one and many at once, prechecks, look-ups, time that passes, and (for SQLite) closing and opening the file
// again.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Candidate, SignUp, Wanted } from '../../../functions/users/store.ts';
import { memoryStore } from '../../../functions/users/stores/memory.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { unbounded } from './contract-setting.ts';

type Operation =
  | { readonly kind: 'signUp'; readonly signUps: readonly SignUp[] }
  | { readonly kind: 'precheck'; readonly candidate: Candidate }
  | { readonly kind: 'find'; readonly wanted: readonly Wanted[] }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'reopen' };

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
const signUp: fc.Arbitrary<SignUp> = fc.record({ username, userId, email, request });
const candidate: fc.Arbitrary<Candidate> = fc.record({
  username,
  email,
  requestId: fc.option(fc.constantFrom('r1', 'r2', 'r3'), { nil: undefined }),
});
const wanted = fc.record({ username: fc.oneof(fc.constant(''), username), userId });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('signUp' as const),
      signUps: fc.array(signUp, { maxLength: 6 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('precheck' as const), candidate }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('find' as const), wanted: fc.array(wanted, { maxLength: 8 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 120 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
);

test('SQLite and memory agree on random operations', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-model-'));
  let run = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
        let nowMs = 1_000_000;
        const now = () => nowMs;
        const path = join(folder, `${run++}.sqlite`);
        const memory = memoryStore({ now });
        let sqlite = openSqliteStore({ path, now });
        try {
          for (const step of operations) {
            if (step.kind === 'wait') nowMs += step.ms;
            if (step.kind === 'find') {
              assert.deepEqual(
                await sqlite.find(step.wanted, unbounded),
                await memory.find(step.wanted, unbounded),
              );
            }
            if (step.kind === 'precheck') {
              assert.equal(
                await sqlite.precheck(step.candidate, unbounded),
                await memory.precheck(step.candidate, unbounded),
              );
            }
            if (step.kind === 'reopen') {
              await sqlite.close();
              sqlite = openSqliteStore({ path, now });
            }
            if (step.kind !== 'signUp') continue;
            const signUps = step.signUps.map((each) =>
              each.request
                ? { ...each, request: { ...each.request, expiresAtMs: nowMs + each.request.expiresAtMs } }
                : each,
            );
            const [actual, expected] = await Promise.all([
              Promise.all(signUps.map((each) => sqlite.signUp(each, unbounded))),
              Promise.all(signUps.map((each) => memory.signUp(each, unbounded))),
            ]);
            assert.deepEqual(actual, expected);
          }
        } finally {
          await sqlite.close();
        }
      }),
      { numRuns: Number(process.env.MODEL_RUNS ?? 100) },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
