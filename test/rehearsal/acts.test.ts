// Proves that acts judge calls: each by the act that it began in, also those that end after the last one; that an act
// in which no call of a kind ends is a problem, and more failed calls than it lets fail are one; and that what can't be
// rehearsed is told in a sentence.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Acts } from '../../rehearsal/acts.ts';
import { Journal } from '../../rehearsal/journal.ts';
import { type CallKind, Load } from '../../rehearsal/load.ts';
import { acknowledged } from '../../rehearsal/rehearse.ts';
import { NotRun } from '../../rehearsal/tools.ts';

const kindOf = (call: () => Promise<void>): CallKind => ({
  name: 'a call',
  call,
  [Symbol.dispose]: () => {},
});
const loadOf = (call: () => Promise<void>) => new Load('bare', { kinds: [kindOf(call)] });
const well = async () => {};
const quiet = () => new Acts(new Journal({ isQuiet: true }));

/** A load whose call fails that is under way when it is told to. */
function held() {
  const failing = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let calls = 0;
  let isHolding = false;
  const load = loadOf(async () => {
    calls++;
    if (!isHolding) return;
    isHolding = false;
    begun.resolve();
    await failing.promise;
  });
  const hold = async () => {
    isHolding = true;
    await begun.promise;
  };
  return { load, hold, fail: () => failing.reject(new Error('it failed')), calls: () => calls };
}

it('A call that is under way after the last act is judged by that act', async () => {
  const acts = quiet();
  const { load, hold, fail } = held();
  using bare = load;
  using patient = loadOf(well);
  await Promise.all([bare.start(), patient.start()]);
  await acts.playUnder(bare, patient, 'the last', async () => ({ problems: [] }));
  await hold();
  fail();
  await Promise.all([bare.stop(), patient.stop()]);
  acts.conclude(bare, patient);
  assert.match(acts.problems.join(), /^the last: a call \(bare\) failed/);
  assert.equal(acts.all[0]?.failed, 1);
});

it('A call that fails in the next act is not excused by it, which begins once the call has ended', async () => {
  const acts = quiet();
  const { load, hold, fail } = held();
  using bare = load;
  using patient = loadOf(well);
  await Promise.all([bare.start(), patient.start()]);
  await acts.playUnder(bare, patient, 'strict', async () => ({ problems: [] }));
  await hold();
  let hasBegun = false;
  const next = acts.playUnder(bare, patient, 'lenient', async () => {
    hasBegun = true;
    return { problems: [], mayFail: () => true };
  });
  assert.equal(hasBegun, false);
  fail();
  await next;
  await Promise.all([bare.stop(), patient.stop()]);
  acts.conclude(bare, patient);
  assert.deepEqual(
    acts.all.map((it) => [it.name, it.failed, it.problems.length]),
    [
      ['strict', 1, 1],
      ['lenient', 0, 0],
    ],
  );
});

it('A turn tells the kinds of which no call has ended', async () => {
  using silent = loadOf(() => new Promise(() => {}));
  void silent.start();
  assert.deepEqual(await silent.turn(performance.now(), 1), ['a call']);
});

it('An act without a call is a problem', async () => {
  const acts = quiet();
  using bare = loadOf(well);
  using patient = loadOf(well);
  await bare.stop(); // as calls that never end, but at once
  await patient.stop();
  assert.equal(await acts.playUnder(bare, patient, 'an act', async () => ({ problems: [] })), false);
  assert.deepEqual(acts.problems, Array(2).fill('an act: no call ended of a call (bare)'));
});

it('More failed calls than few are a problem', async () => {
  const acts = quiet();
  let count = 0;
  using bare = loadOf(async () => {
    if (count++ > 0) throw new Error('it failed');
  });
  using patient = loadOf(well);
  await Promise.all([bare.start(), patient.start()]);
  const few = async () => ({ problems: [], mayFail: () => true, mostFailedPart: 0.1 });
  assert.equal(await acts.playUnder(bare, patient, 'throttles', few), false);
  assert.match(acts.problems.join(), /calls failed, more than 10 in a hundred/);
});

it('What was acknowledged is left out where calls leave nothing behind, and a problem where nothing was', async () => {
  const journal = new Journal({ isQuiet: true });
  const acts = new Acts(journal);
  using none = loadOf(well);
  await acknowledged(none, acts, journal);
  assert.equal(acts.all.length, 0);
  assert.equal(journal.leftOut.size, 1);
  using empty = new Load('bare', {
    kinds: [kindOf(well)],
    lost: async () => ({ acknowledged: 0, lost: [] }),
  });
  await acknowledged(empty, acts, journal);
  assert.match(acts.problems.join(), /nothing was acknowledged/);
});

it('tells of what can not be rehearsed by a sentence, without a stack', async () => {
  const acts = quiet();
  assert.equal(await acts.play('serve', () => Promise.reject(new NotRun('leave edge out'))), false);
  assert.deepEqual(acts.problems, ['serve: NOT RUN: leave edge out']);
});
