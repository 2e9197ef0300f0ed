// The answer of a BatchGetItem is read as JSON.parse reads it, whatever its items hold and however it is written; one
// that is cut off or damaged is refused, or read as JSON.parse reads it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Actions } from '../../../functions/users/stores/dynamodb-api.ts';
import { readBatch } from '../../../functions/users/stores/dynamodb-batch.ts';

const attributes = 'pk, username, userId, email';
const table = 'users';

type Fields = Actions['BatchGetItem']['output'];

/** What the answer says, by JSON.parse alone. */
function expected({ Responses = {}, UnprocessedKeys = {} }: Fields) {
  const items = (Responses[table] ?? []).filter((item) => item.pk?.S !== undefined);
  const unprocessed = (UnprocessedKeys[table]?.Keys ?? []).map(({ pk }) => pk?.S);
  return {
    items: new Map(items.map((item) => [item.pk?.S, item])),
    unprocessed: unprocessed.filter((key) => key !== undefined),
  };
}

const plain = fc.stringMatching(/^[a-z0-9#@._{}[\]:,-]{0,12}$/);
const text = fc.oneof({ weight: 9, arbitrary: plain }, fc.string({ unit: 'binary' }));
const value = fc.oneof(
  { weight: 9, arbitrary: fc.record({ S: text }) },
  { weight: 4, arbitrary: fc.record({ N: fc.nat().map(String) }) },
  fc.record({ S: text, N: text }),
  fc.record({ B: text }),
  fc.constant({}),
);
const names = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...attributes.split(', ')) },
  fc.constantFrom('other', '"', 'users'),
);
const item = fc.dictionary(names, value, { maxKeys: 5 });
const responses = fc.dictionary(fc.constantFrom(table, 'others'), fc.array(item, { maxLength: 4 }));
const keys = fc.record({ Keys: fc.array(fc.record({ pk: fc.record({ S: text }) }), { maxLength: 3 }) });
const answers = fc.oneof(
  fc.record({ Responses: responses, UnprocessedKeys: fc.dictionary(fc.constant(table), keys) }),
  fc.record({ UnprocessedKeys: fc.dictionary(fc.constant(table), keys), Responses: responses }),
  fc.record({ Responses: responses }),
);
const spaces = fc.constantFrom(0, 0, 0, 1);

test('any answer is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(answers, spaces, (answer, space) => {
      const json = JSON.stringify(answer, undefined, space);
      assert.deepEqual(readBatch(json, table, attributes), expected(JSON.parse(json)));
    }),
    { numRuns: 2_000 },
  );
});

test('an answer that is cut off, or has other characters, is refused or read as JSON.parse reads it', () => {
  const damaged = fc.tuple(answers, fc.nat(), fc.nat(3), plain).map(([answer, place, length, put]) => {
    const json = JSON.stringify(answer);
    const at = place % json.length;
    return json.slice(0, at) + put + (length === 0 ? '' : json.slice(at + length));
  });
  fc.assert(
    fc.property(damaged, (json) => {
      let fields: Fields;
      try {
        fields = JSON.parse(json);
      } catch {
        assert.throws(() => readBatch(json, table, attributes), SyntaxError);
        return;
      }
      if (fields === null || typeof fields !== 'object') return;
      assert.deepEqual(readBatch(json, table, attributes), expected(fields));
    }),
    { numRuns: 4_000 },
  );
});

test('what DynamoDB writes is read without JSON.parse of its items', (context) => {
  const parse = context.mock.method(JSON, 'parse');
  const items = [1, 2].map((id) => ({
    userId: { N: `${id}` },
    pk: { S: `NAME#ü${id}` },
    username: { S: 'Ü' },
  }));
  const json = JSON.stringify({ Responses: { users: items }, UnprocessedKeys: {} });
  const { items: read } = readBatch(json, table, attributes);
  assert.deepEqual([...read.values()], items);
  assert.deepEqual(
    parse.mock.calls.map(({ arguments: [parsed] }) => parsed),
    ['{"Responses":{"users":[]},"UnprocessedKeys":{}}'],
  );
});
