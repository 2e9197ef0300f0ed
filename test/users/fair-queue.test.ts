// Whatever is added, taken and removed in whatever order, a fair queue gives each exactly once, those of a key in their
// order, and between two of a key one of every other key that has waited meanwhile. fast-check makes the orders.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fairQueue } from '../../functions/users/fair-queue.ts';

interface Item {
  readonly key: string;
  readonly number: number;
}

const operation = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c', '__proto__') }),
  fc.record({ kind: fc.constant('next' as const) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }),
);

test('a fair queue gives each once, in the order of its key, the keys in turn', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = fairQueue<Item>();
      // The model: everything that waits, and the order in which keys have had their turns.
      const waiting: Item[] = [];
      let turns: string[] = [];
      let number = 0;
      const keyLeaves = (key: string) => {
        if (!waiting.some((it) => it.key === key)) turns = turns.filter((it) => it !== key);
      };
      for (const step of operations) {
        if (step.kind === 'add') {
          const item = { key: step.key, number: number++ };
          queue.add(item.key, item);
          waiting.push(item);
          if (!turns.includes(item.key)) turns.push(item.key);
        } else if (step.kind === 'next') {
          const key = turns.shift();
          const expected = waiting.find((it) => it.key === key);
          assert.equal(queue.next(), expected);
          if (!expected) continue;
          waiting.splice(waiting.indexOf(expected), 1);
          turns.push(expected.key);
          keyLeaves(expected.key);
        } else {
          const item = waiting[step.at % Math.max(1, waiting.length)];
          if (!item) continue;
          queue.remove(item.key, item);
          queue.remove(item.key, item); // a second time changes nothing
          waiting.splice(waiting.indexOf(item), 1);
          keyLeaves(item.key);
        }
        assert.equal(queue.size(), waiting.length);
        for (const key of ['a', 'b', 'c', '__proto__']) {
          assert.equal(queue.sizeOf(key), waiting.filter((it) => it.key === key).length);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
