// Proves that what docs/capacity.md says of the limits of a table's partitions is what tasks meet that share one: a
// burst of sign-ups, names that begin alike, a name that everybody asks for, and a scan of ids.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from '../../bench/stores/simulation.ts';

/** Some seconds and a twentieth of the size leave this much to chance. */
const isNear = 0.06;

test('what the model predicts is what is seen', async () => {
  const outcomes = await simulate({ tasks: 3, seconds: 3, scale: 20 });
  assert.equal(outcomes.length, 5);
  for (const { what, predicted, seen, isLeast = false } of outcomes) {
    assert.ok(seen >= predicted * (1 - isNear), `${what}: ${seen}, not ${predicted}`);
    assert.ok(isLeast || seen <= predicted * (1 + isNear), `${what}: ${seen}, not ${predicted}`);
  }
});
