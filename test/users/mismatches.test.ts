// Mismatches are counted for each request id, for as long as it can be known and in bounded memory.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countMismatches, type Mismatches } from '../../functions/users/mismatches.ts';

function counted(maxMismatchedRequestIds = 100) {
  const clock = { nowMs: 0 };
  const limits = { maxRequestIdMismatches: 2, maxMismatchedRequestIds, requestIdTtlMs: 1000 };
  return { clock, mismatches: countMismatches(limits, () => clock.nowMs) };
}

function isSpent(mismatches: Mismatches, requestId: string): boolean {
  try {
    mismatches.check(requestId);
    return false;
  } catch {
    return true;
  }
}

describe('countMismatches', () => {
  it('counts each request id for itself', () => {
    const { mismatches } = counted();
    assert.equal(isSpent(mismatches, 'a'), false);
    mismatches.add('a');
    mismatches.add('b');
    assert.equal(isSpent(mismatches, 'a'), false);
    mismatches.add('a');
    assert.deepEqual([isSpent(mismatches, 'a'), isSpent(mismatches, 'b')], [true, false]);
  });

  it('forgets an id some time after its first mismatch, by when the id is forgotten too', () => {
    const { mismatches, clock } = counted();
    mismatches.add('a');
    clock.nowMs = 999;
    mismatches.add('a');
    assert.equal(isSpent(mismatches, 'a'), true);
    clock.nowMs = 1000;
    assert.equal(isSpent(mismatches, 'a'), false);
    mismatches.add('a');
    assert.equal(isSpent(mismatches, 'a'), false, 'it is counted anew');
    clock.nowMs = 1999;
    mismatches.add('a');
    assert.equal(isSpent(mismatches, 'a'), true);
  });

  it('counts no more ids than it may: the newest', () => {
    const { mismatches } = counted(3);
    for (const id of ['a', 'b', 'b', 'c', 'c', 'd', 'd']) mismatches.add(id);
    mismatches.add('a');
    const spent = ['a', 'b', 'c', 'd'].map((id) => isSpent(mismatches, id));
    assert.deepEqual(spent, [false, false, true, true]);
  });

  it('makes room of those that have expired first', () => {
    const { mismatches, clock } = counted(3);
    mismatches.add('old');
    clock.nowMs = 500;
    for (const id of ['a', 'a']) mismatches.add(id);
    clock.nowMs = 1200;
    for (const id of ['b', 'b', 'c', 'c']) mismatches.add(id);
    const spent = ['a', 'b', 'c'].map((id) => isSpent(mismatches, id));
    assert.deepEqual(spent, [true, true, true]);
  });
});
