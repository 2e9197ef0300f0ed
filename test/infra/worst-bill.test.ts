// Proves that the worst bill of a day follows from what bounds it: each bound lowers it, nobody without a credential
// reaches the table, and closing a deployment makes it cheaper for whoever means harm.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Bounds,
  boundsOfOld,
  defaultBounds,
  inAll,
  type Spender,
  worstDay,
} from '../../infra/worst-bill.ts';

const bill = (bounds: Partial<Bounds>, spender: Spender) =>
  inAll(worstDay({ ...defaultBounds, ...bounds }, spender));
const item = (spender: Spender, name: string, bounds: Partial<Bounds> = {}) =>
  worstDay({ ...defaultBounds, ...bounds }, spender).find(([what]) => what === name)?.[2] ??
  assert.fail(name);

test('an outsider pays for calls that are refused, and for nothing of the table', () => {
  for (const name of [
    'DynamoDB, reads',
    'DynamoDB, writes',
    'DynamoDB, reads of the index',
    'DynamoDB, writes of the index',
    'Storing the sign-ups of that day for a month',
  ])
    assert.equal(item('outsider', name), 0);
  assert(bill({}, 'outsider') < bill({}, 'caller'));
  assert(bill({}, 'caller') < bill({ isClosed: false }, 'outsider'));
  assert(bill({ isClosed: false }, 'outsider') < inAll(worstDay(boundsOfOld, 'outsider')));
});

test('the ceilings of the table bound the bill of a key, however many tokens it has', () => {
  // 86,400 s × 1,000 units, at the list price of a million.
  const close = (actual: number, expected: number) => assert(Math.abs(actual - expected) < 1e-9, `${actual}`);
  for (const tokensPerSecond of [100, 1e6, Infinity]) {
    close(item('caller', 'DynamoDB, reads', { tokensPerSecond }), 86.4 * 0.125);
    close(item('caller', 'DynamoDB, writes', { tokensPerSecond }), 86.4 * 0.625);
  }
  close(item('caller', 'DynamoDB, reads', { tokensPerSecond: 1 }), 0.01 * 86.4 * 0.125);
  // A call that costs a token may read every partition of the index, and one rename writes it for every third item.
  close(item('caller', 'DynamoDB, reads of the index', { tokensPerSecond: 1 }), 86.4 * 0.125);
  close(item('caller', 'DynamoDB, writes of the index'), (86.4 * 0.625) / 3);
  close(item('caller', 'DynamoDB, writes of the index', { hasIndex: false }), 0);
});

test('what a vCPU sends is what was measured at the most, and known callers have refused lines of their own', () => {
  const dataSent = item('outsider', 'Data sent to the internet', { maxTasks: 1, taskVcpu: 1 });
  assert(dataSent >= 13.4e6 * 86_400 * (0.09 / 1e9));
  const logOf = (refusedLinesPerSecond: number, spender: Spender) =>
    item(spender, 'Log', { refusedLinesPerSecond });
  const more = (spender: Spender) => logOf(10, spender) - logOf(0, spender);
  assert(Math.abs(more('caller') - 2 * more('outsider')) < 1e-9);
});

test('no bound that is lowered raises the bill', () => {
  const bounds = fc.record({
    maxTasks: fc.integer({ min: 2, max: 100 }),
    maxReadUnits: fc.integer({ min: 1, max: 40_000 }),
    maxWriteUnits: fc.integer({ min: 1, max: 40_000 }),
    tokensPerSecond: fc.integer({ min: 1, max: 100_000 }),
    refusedLinesPerSecond: fc.integer({ min: 0, max: 1000 }),
  });
  fc.assert(
    fc.property(
      bounds,
      fc.constantFrom<Spender>('outsider', 'caller'),
      fc.boolean(),
      (some, spender, isClosed) => {
        const whole = bill({ ...some, isClosed }, spender);
        for (const [name, value] of Object.entries(some))
          assert(bill({ ...some, isClosed, [name]: Math.floor(value / 2) }, spender) <= whole, name);
      },
    ),
  );
});
