// Proves that work which takes turns shares the event loop: a turn ends when its time is used up, those that wait go on
// in their order, as many in each turn of the loop as its time is enough for, and between two turns all else that is
// ready has its own. The clock is the test's own.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Turns } from '../../../functions/rpc/call/turns.ts';

/** Longer than a turn. */
const longMs = 10;

function loopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

it('a turn lasts until its time is used up, and the next one has time of its own', async () => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  assert.equal(turns.isOver, false);
  nowMs += 1;
  assert.equal(turns.isOver, false);
  nowMs += longMs;
  assert.equal(turns.isOver, true);
  await loopTurn();
  assert.equal(turns.isOver, false);
});

it('time that passes while nobody works is nobody’s', async () => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  assert.equal(turns.isOver, false);
  for (let turn = 0; turn < 3; turn++) await loopTurn();
  nowMs += longMs;
  assert.equal(turns.isOver, false);
});

it('those that wait and use up their time go on in their order, one in each turn of the loop', async () => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  let loopTurns = 0;
  const seen: [who: string, loopTurn: number][] = [];
  const wait = async (who: string, times: number) => {
    for (let time = 0; time < times; time++) {
      await turns.next();
      seen.push([who, loopTurns]);
      nowMs += longMs;
    }
  };
  let isDone = false;
  const probe = async () => {
    for (; !isDone; loopTurns++) await loopTurn();
  };
  const probed = probe();
  await Promise.all([wait('a', 4), wait('b', 4), wait('c', 2)]);
  isDone = true;
  await probed;
  assert.equal(seen.map(([who]) => who).join(''), 'abcabcabab');
  const turnsOfLoop = seen.map(([, turn]) => turn);
  assert.equal(new Set(turnsOfLoop).size, turnsOfLoop.length, `two in one turn: ${turnsOfLoop}`);
});

it('what one that has waited leaves of its turn is for the others that wait', async () => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  const seen: number[] = [];
  let loopTurns = 0;
  const all = Array.from({ length: 9 }, async () => {
    await turns.next();
    await undefined; // its work may go on after a promise
    nowMs += 0.5;
    seen.push(loopTurns);
  });
  for (; seen.length < all.length; loopTurns++) await loopTurn();
  await Promise.all(all);
  const inTurns = Object.values(Object.groupBy(seen, String)).map((them = []) => them.length);
  assert.deepEqual(inTurns, [3, 3, 3]);
});

it('who comes when the turn is used up waits behind the others', async () => {
  let nowMs = 0;
  const turns = new Turns(() => nowMs);
  const order: string[] = [];
  const first = turns.next().then(() => {
    order.push('first');
    nowMs += longMs; // it uses up its turn
    assert.equal(turns.isOver, true);
  });
  const second = turns.next().then(() => order.push('second'));
  await first;
  assert.equal(turns.isOver, true, 'who has not waited has the turn of another');
  const third = turns.next().then(() => order.push('third'));
  await Promise.all([second, third]);
  assert.deepEqual(order, ['first', 'second', 'third']);
});

it('nothing goes on once nobody waits: the process can end', async () => {
  const turns = new Turns();
  await Promise.all([turns.next(), turns.next()]);
  for (let turn = 0; turn < 3; turn++) await loopTurn();
  assert.equal(
    process.getActiveResourcesInfo().some((kind) => kind === 'Immediate'),
    false,
  );
});
