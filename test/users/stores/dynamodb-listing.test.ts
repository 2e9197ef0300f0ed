// Pages read from the partitions of the index of names, whatever the names, the prefix and where DynamoDB ends an
// answer: together they have everybody once, in order, and no page asks one partition twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameItem } from '../../../functions/users/stores/dynamodb-items.ts';
import { listNames } from '../../../functions/users/stores/dynamodb-listing.ts';
import type { NameRange } from '../../../functions/users/stores/dynamodb-table.ts';
import { unbounded } from './contract-setting.ts';

const first = fc.constantFrom(...'059AaBbmZz');
const rest = fc.string({ unit: fc.constantFrom(...'-.09_AaBbz'), maxLength: 4 });
const username = fc.tuple(first, rest).map((parts) => parts.join(''));
const folded = (name: string) => name.toLowerCase();

/** An index with these names that answers at most so many items at once. */
function indexOf(names: readonly string[], maxAnswered: number) {
  const items = names
    .map((name, i) => nameItem({ username: name, userId: i + 1 }))
    .sort((a, b) => ((a.pk?.S ?? '') < (b.pk?.S ?? '') ? -1 : 1));
  const asked: NameRange[] = [];
  return {
    asked,
    async readNames(range: NameRange) {
      assert.ok(range.from <= range.to, 'DynamoDB refuses a range whose ends are the wrong way round');
      assert.ok(range.maxItems > 0, 'nor does it take a limit of zero');
      asked.push(range);
      const within = items.filter(
        ({ pk, initial }) =>
          initial?.S === range.initial && (pk?.S ?? '') >= range.from && (pk?.S ?? '') <= range.to,
      );
      const answered = within.slice(0, Math.min(range.maxItems, maxAnswered));
      // As DynamoDB does, it says that there may be more whenever it stops at a limit, be it at the end.
      const isCut = answered.length === Math.min(range.maxItems, maxAnswered);
      return { items: answered, lastKey: isCut ? answered.at(-1)?.pk?.S : undefined };
    },
  };
}

test('all pages have everybody once, in order', async () => {
  const setting = fc.record({
    names: fc.uniqueArray(username, { selector: folded, maxLength: 40 }),
    prefix: fc.oneof(fc.constant(''), rest.map(folded), username.map(folded)),
    after: fc.oneof(
      fc.constant(''),
      username.map(folded),
      rest.map((text) => `${folded(text)}~`),
    ),
    maxUsers: fc.integer({ min: 1, max: 50 }),
    maxAnswered: fc.integer({ min: 1, max: 50 }),
  });
  await fc.assert(
    fc.asyncProperty(setting, async ({ names, prefix, after, maxUsers, maxAnswered }) => {
      const index = indexOf(names, maxAnswered);
      const seen: string[] = [];
      for (let from: string | undefined = after; from !== undefined; ) {
        index.asked.length = 0;
        const { users, next } = await listNames(index, { prefix, after: from, maxUsers }, unbounded);
        assert.ok(users.length <= maxUsers);
        assert.ok(next === undefined || next > from, `${next} is behind ${from}`);
        assert.ok(index.asked.length <= (prefix === '' ? 36 : 1));
        assert.equal(new Set(index.asked.map(({ initial }) => initial)).size, index.asked.length);
        seen.push(...users.map((user) => user.username));
        from = next;
      }
      const expected = names.filter((name) => folded(name).startsWith(prefix) && folded(name) > after);
      assert.deepEqual(
        seen,
        expected.sort((a, b) => (folded(a) < folded(b) ? -1 : 1)),
      );
    }),
    { numRuns: 2_000 },
  );
});
