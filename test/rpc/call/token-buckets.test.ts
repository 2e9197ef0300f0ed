// Proves that a caller never spends more than its bucket and what came in since, whatever it does in which order; that
// the time it is told is the time it has to wait; that one call may cost more than a bucket holds; and that callers,
// however many are invented, take up no more memory than they may and make nobody's debt be forgotten.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TokenBuckets } from '../../../functions/rpc/call/token-buckets.ts';

/** Buckets, and their clock. */
function bucketsWith(tokensPerSecond: number, maxTokens: number, maxBuckets = 100) {
  const clock = { nowMs: 1_000_000 };
  return {
    clock,
    buckets: new TokenBuckets({ tokensPerSecond, maxTokens, maxBuckets }, () => clock.nowMs),
  };
}

describe('a bucket', () => {
  it('has as many tokens as it holds, and then those that come in', () => {
    const { clock, buckets } = bucketsWith(10, 3);
    for (let taken = 0; taken < 3; taken += 1) assert.equal(buckets.take('ann', 1, 1), 0);
    assert.equal(buckets.take('ann', 1, 1), 100);
    assert.equal(buckets.take('bob', 1, 1), 0, 'another has its own');
    clock.nowMs += 99;
    assert.equal(buckets.take('ann', 1, 1), 1);
    clock.nowMs += 1;
    assert.equal(buckets.take('ann', 1, 1), 0);
    clock.nowMs += 3_600_000;
    for (let taken = 0; taken < 3; taken += 1) assert.equal(buckets.take('ann', 1, 1), 0);
    assert.equal(buckets.take('ann', 1, 1), 100, 'it holds no more after an hour');
  });

  it('lets a call cost more than it holds, even when the call’s own token was its last', () => {
    const { clock, buckets } = bucketsWith(100, 1);
    assert.equal(buckets.take('ann', 1, 1), 0);
    assert.equal(buckets.take('ann', 9_999, 0), 0);
    assert.equal(buckets.take('ann', 1, 1), 100_000, 'the debt, and the token of the next call');
    assert.equal(buckets.take('ann', 1, 0), 100_000);
    clock.nowMs += 99_999;
    assert.equal(buckets.take('ann', 1, 1), 1);
    clock.nowMs += 1;
    assert.equal(buckets.take('ann', 1, 1), 0);
  });

  it('gives what it holds and what came in, and no more, whatever is done in which order', () => {
    const step = fc.record({
      afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20_000 })),
      caller: fc.constantFrom('ann', 'bob', 'carl'),
      tokens: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 10_000 })),
      floor: fc.constantFrom(0, 1),
    });
    const rate = fc.integer({ min: 1, max: 1_000_000 });
    const size = fc.integer({ min: 1, max: 20_000 });
    fc.assert(
      fc.property(rate, size, fc.array(step, { maxLength: 200 }), (perSecond, maxTokens, steps) => {
        const { clock, buckets } = bucketsWith(perSecond, maxTokens);
        const beganMs = clock.nowMs;
        const spent = new Map<string, number>();
        for (const { afterMs, caller, tokens, floor } of steps) {
          clock.nowMs += afterMs;
          const before = spent.get(caller) ?? 0;
          const hasFloor = buckets.has(caller, floor);
          const waitMs = buckets.take(caller, tokens, floor);
          assert.equal(hasFloor, waitMs === 0, 'it says what may be taken');
          if (waitMs === 0) {
            const cameIn = ((clock.nowMs - beganMs) * perSecond) / 1000;
            // What a thousandth of a millisecond brings is the grain.
            assert.ok(before + floor <= maxTokens + cameIn + perSecond / 1e6 + 1e-6);
            spent.set(caller, before + tokens);
          } else {
            clock.nowMs += waitMs - 1;
            if (waitMs > 1) assert.notEqual(buckets.take(caller, 1, 1), 0, 'it was told to wait too long');
            clock.nowMs += 1;
            assert.equal(buckets.take(caller, 1, 1), 0, 'it had waited as it was told');
            spent.set(caller, before + 1);
          }
        }
      }),
    );
  });
});

describe('the buckets of callers that are invented', () => {
  it('are not made by asking', () => {
    const { buckets } = bucketsWith(1, 1, 1);
    for (const caller of ['ann', 'bob']) assert.ok(buckets.has(caller, 1));
    assert.equal(buckets.count, 0);
    for (const caller of ['ann', 'bob']) assert.equal(buckets.take(caller, 1, 1), 0);
    assert.ok(!buckets.has('carl', 1), 'carl would share with bob');
  });

  it('are no more than there may be, and pay off nobody’s debt', () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 50 }),
      tokens: fc.integer({ min: 1, max: 500 }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 1, max: 20 }),
        (steps, maxBuckets) => {
          const { clock, buckets } = bucketsWith(100, 50, maxBuckets);
          assert.equal(buckets.take('debtor', 5_050, 1), 0);
          const paidAtMs = clock.nowMs + 50_010;
          for (const [place, { afterMs, tokens }] of steps.entries()) {
            clock.nowMs += afterMs;
            buckets.take(`invented-${place}`, tokens, 1);
            assert.ok(buckets.count <= maxBuckets);
            assert.equal(buckets.take('debtor', 1, 1), paidAtMs - clock.nowMs);
          }
          clock.nowMs = paidAtMs;
          assert.equal(buckets.take('debtor', 1, 1), 0);
        },
      ),
    );
  });

  it('share one beyond that, and have their own again when others are full', () => {
    const { clock, buckets } = bucketsWith(1, 10, 4);
    for (const caller of ['a', 'b', 'c', 'd']) assert.equal(buckets.take(caller, 10, 1), 0);
    assert.equal(buckets.take('e', 6, 1), 0);
    assert.equal(buckets.take('f', 4, 1), 0);
    assert.notEqual(buckets.take('g', 1, 1), 0, 'what two others left of it');
    assert.equal(buckets.count, 4);
    clock.nowMs += 10_000;
    for (const caller of ['e', 'f', 'g']) assert.equal(buckets.take(caller, 10, 1), 0);
    assert.equal(buckets.count, 3);
  });

  it('are forgotten once they are full', () => {
    const { clock, buckets } = bucketsWith(1, 10, 1_000);
    for (let caller = 0; caller < 1_000; caller += 1) buckets.take(`caller-${caller}`, 1, 1);
    clock.nowMs += 1_000;
    for (let caller = 0; caller < 150; caller += 1) buckets.take(`later-${caller}`, 1, 1);
    assert.equal(buckets.count, 150);
  });
});

describe('a loan', () => {
  it('is given back to the bucket that it was taken of, its own or the shared one', () => {
    const { buckets } = bucketsWith(1, 10, 2);
    for (const key of ['a', 'b', 'c']) {
      assert.equal(buckets.take(key, 8, 1), 0);
      const loan = buckets.lend(key, 2);
      assert.equal(loan.waitMs, 0);
      assert.equal(buckets.take(key, 1, 1), 1_000);
      loan.giveBack();
      assert.equal(buckets.take(key, 2, 1), 0);
      assert.equal(buckets.take(key, 1, 1), 1_000);
    }
  });

  it('is not made where there are too few tokens, and then giving it back gives nothing', () => {
    const { buckets } = bucketsWith(1, 10);
    assert.equal(buckets.take('a', 9, 1), 0);
    const loan = buckets.lend('a', 2);
    assert.equal(loan.waitMs, 1);
    loan.giveBack();
    assert.equal(buckets.take('a', 1, 1), 0);
    assert.equal(buckets.take('a', 1, 1), 1_000);
  });

  it('adds nothing once its bucket was full: not to a later one, and not to the shared one', () => {
    const { clock, buckets } = bucketsWith(1, 10, 1);
    const ofA = buckets.lend('a', 5);
    const ofShared = buckets.lend('b', 5);
    clock.nowMs += 20_000;
    assert.equal(buckets.take('c', 1, 1), 0, 'the bucket of a is forgotten');
    assert.equal(buckets.take('d', 10, 1), 0, 'the shared one is empty');
    ofA.giveBack();
    ofShared.giveBack();
    assert.equal(buckets.take('e', 1, 1), 1_000);
    assert.equal(buckets.take('c', 8, 1), 0);
    const again = buckets.lend('c', 1);
    assert.equal(buckets.take('c', 1, 1), 1_000);
    clock.nowMs += 20_000;
    assert.equal(buckets.take('c', 10, 1), 0, 'it is full again, and was not forgotten');
    again.giveBack();
    assert.equal(buckets.take('c', 1, 1), 1_000);
  });

  it('lets nobody have more than its bucket and what came in, besides what is given back', () => {
    const step = fc.record({
      afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 8_000 })),
      key: fc.constantFrom('ann', 'bob', 'carl'),
      /** Which of the loans that are out is given back first; none if there are fewer. */
      back: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 3 }), (steps, maxBuckets) => {
        const { clock, buckets } = bucketsWith(1, 5, maxBuckets);
        const beganMs = clock.nowMs;
        const out: { key: string; giveBack: () => void }[] = [];
        const kept = new Map<string, number>();
        for (const { afterMs, key, back } of steps) {
          clock.nowMs += afterMs;
          for (const { key: owner, giveBack } of out.splice(back, 1)) {
            giveBack();
            kept.set(owner, (kept.get(owner) ?? 0) - 1);
          }
          const loan = buckets.lend(key, 1);
          if (loan.waitMs > 0) continue;
          out.push({ key, giveBack: loan.giveBack });
          kept.set(key, (kept.get(key) ?? 0) + 1);
          const cameIn = (clock.nowMs - beganMs) / 1000;
          for (const [owner, tokens] of kept) assert.ok(tokens <= 5 + cameIn + 1e-6, owner);
        }
      }),
    );
  });
});
