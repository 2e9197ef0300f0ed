// Proves that the time of a wrong password tells nothing of the user: the times of two kinds of wrong passwords, taken
// in random order, can't be told apart by the test of Kolmogorov and Smirnov, and the same test does tell them apart
// where no tag is derived for those who are not there. In random order it holds however busy the machine is.
//
// `TIMING_SAMPLES=2000 npx node --test test/users/check-password-time.test.ts` takes as many of each through a server,
// and shows both distributions; `npm test` takes 60.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Guesses } from '../../functions/users/guesses.ts';
import { checkPasswordMethod } from '../../functions/users/methods/check-password.ts';
import { countMismatches } from '../../functions/users/mismatches.ts';
import {
  type ParameterSets,
  type PasswordHasher,
  passwordHasher,
  saltOf,
} from '../../functions/users/password.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { CheckPasswordRequestSchema } from '../../proto/gen/users_types_pb.js';
import { distanceByChance, distanceOf, histogram } from '../support/two-samples.ts';
import { addressed, named } from './keys.ts';
import { contextOf, limitsWith, serveUsers } from './serving.ts';
import { outcomeOf } from './told.ts';

/** Two samples that are one distribution are told apart once in a million times. */
const chance = 1e-6;
const shortSamples = 200;
const serverSamples = Number(process.env.TIMING_SAMPLES ?? 60);

/** A millisecond each, so that all else that a call does is seen too. */
const sets: ParameterSets = [
  { memoryKiB: 1_024, passes: 1, lanes: 1 },
  { memoryKiB: 512, passes: 1, lanes: 1 },
];
const limits = limitsWith({ maxWrongPasswordsPerUser: 1_000_000, maxWrongPasswordsPerCaller: 1_000_000 });
const never = new AbortController().signal;
const password = 'open sesame';

type Key = ReturnType<typeof named> | ReturnType<typeof addressed>;

/** Who is meant with a wrong password. */
const kinds = {
  'a user with another password': named('tom'),
  'one whose hash has older parameters': named('old'),
  'one without a password': named('ann'),
  'one whose hash can not be read': named('bad'),
  nobody: named('joe'),
  'a name that nobody can have': named('j e'),
  'an address that nobody has': addressed('j@e'),
} as const;

/** How long wrong passwords of two kinds take, in ms, in random order. */
async function timesOf(
  check: (key: Key) => Promise<unknown>,
  keys: readonly [Key, Key],
  samples: number,
): Promise<[number[], number[]]> {
  const times: [number[], number[]] = [[], []];
  const order = Array.from({ length: 2 * samples }, (_, place): 0 | 1 => (place % 2 === 0 ? 0 : 1));
  for (let place = order.length - 1; place > 0; place -= 1) {
    const other = Math.floor(Math.random() * (place + 1));
    [order[place], order[other]] = [order[other] ?? 0, order[place] ?? 0];
  }
  for (let warm = 0; warm < 20; warm += 1) await check(keys[warm % 2 === 0 ? 0 : 1]);
  for (const which of order) {
    const startedAtMs = performance.now();
    await check(keys[which]);
    times[which].push(performance.now() - startedAtMs);
  }
  return times;
}

async function service(hasherOf: (hasher: PasswordHasher) => PasswordHasher) {
  const store = memoryStore();
  for (const [userId, [username, parameters]] of (
    [
      ['tom', [sets[0]]],
      ['old', [sets[1] ?? sets[0]]],
    ] as const
  ).entries()) {
    const hasher = passwordHasher(limits, undefined, parameters);
    const passwordHash = await hasher.hash(password, saltOf(undefined, ''), { signal: never });
    await store.signUp({ username, userId: userId + 1, passwordHash }, never);
  }
  await store.signUp({ username: 'ann', userId: 8 }, never);
  await store.signUp({ username: 'bad', userId: 9, passwordHash: '$argon2id$v=19$m=1,t=1,p=1$$' }, never);
  const method = checkPasswordMethod({
    store,
    limits,
    hasher: hasherOf(passwordHasher(limits, undefined, sets)),
    guesses: new Guesses(limits),
    mismatches: countMismatches(limits, Date.now),
    newUserId: () => 1,
    now: Date.now,
  });
  return async (key: Key) => {
    const request = create(CheckPasswordRequestSchema, { key, password: 'open simsim' });
    assert.equal(await outcomeOf(method(request, contextOf('checkPassword'))), 'WRONG_PASSWORD');
  };
}

describe('the time of a wrong password', () => {
  const limit = distanceByChance([shortSamples, shortSamples], chance);
  const known = kinds['a user with another password'];

  for (const [kind, key] of Object.entries(kinds)) {
    it(`is that of a user with another password, of ${kind}`, async () => {
      const check = await service((hasher) => hasher);
      const times = await timesOf(check, [known, key], shortSamples);
      const distance = distanceOf(...times);
      assert.ok(distance < limit, `${distance}\n${histogram({ known: times[0], [kind]: times[1] }, 'ms')}`);
    });
  }

  it('would tell of users, if no tag were derived for those who are not there', async () => {
    const check = await service((hasher) => ({
      ...hasher,
      check: async (text, phc, call) =>
        phc === undefined ? { isRight: false } : hasher.check(text, phc, call),
    }));
    const distance = distanceOf(...(await timesOf(check, [known, kinds.nobody], shortSamples)));
    assert.ok(distance > limit, `${distance}`);
  });

  it('would tell of parameters, if only those of the hash were tried', async () => {
    const older = passwordHasher(limits, undefined, [sets[1] ?? sets[0]]);
    const check = await service((hasher) => ({
      ...hasher,
      check: (text, phc, call) => (phc?.includes('m=512,') ? older : hasher).check(text, phc, call),
    }));
    const old = kinds['one whose hash has older parameters'];
    const distance = distanceOf(...(await timesOf(check, [known, old], shortSamples)));
    assert.ok(distance > limit, `${distance}`);
  });

  it('is the same through a server', async (t) => {
    const users = await serveUsers(t, { limits });
    await users.createUser({ username: 'tom', password });
    const check = (key: Key) => outcomeOf(users.checkPassword({ key, password: 'open simsim' }));
    const times = await timesOf(check, [known, kinds.nobody], serverSamples);
    const distance = distanceOf(...times);
    const most = distanceByChance([serverSamples, serverSamples], chance);
    console.log(`distance ${distance.toFixed(4)}, by chance up to ${most.toFixed(4)}`);
    console.log(histogram({ known: times[0], unknown: times[1] }, 'ms'));
    assert.ok(distance < most);
  });
});

describe('the test of Kolmogorov and Smirnov', () => {
  it('finds what lies between two samples', () => {
    assert.equal(distanceOf([1, 2, 3], [3, 2, 1]), 0);
    assert.equal(distanceOf([1, 2], [3, 4]), 1);
    assert.equal(distanceOf([1, 1, 2, 2], [2, 2, 3, 3]), 0.5);
    // Its table: 1.36 times the root, for a chance of 0.05.
    assert.ok(Math.abs(distanceByChance([100, 100], 0.05) - 1.358 * Math.sqrt(0.02)) < 1e-3);
  });
});
