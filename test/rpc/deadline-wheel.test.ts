// Proves that a deadline beyond what Node's timers can wait is not taken for one that has passed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { DeadlineWheel } from '../../functions/rpc/call/deadline-wheel.ts';

it('the longest deadline that can be set makes no timer overflow', async () => {
  const warned = once(process, 'warning');
  const wheel = new DeadlineWheel();
  wheel.add({ expire: () => {} }, performance.now() + 2 ** 31 - 1);
  process.emitWarning('the next one');
  const [warning] = await warned;
  assert.equal(warning.message, 'the next one');
});
