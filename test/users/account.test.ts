// Proves that an account can be told, also as JSON, whatever a store holds as the time of its sign-up, and that a time
// which can be is told as it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { accountMessage } from '../../functions/users/account.ts';
import { AccountSchema } from '../../proto/gen/users_types_pb.js';

/** What JSON tells of a user who signed up then. */
function toldOf(createdAtMs: number | undefined): unknown {
  const account = { username: 'Tom', userId: 1, etag: 'first', createdAtMs };
  const json: object = Object(toJson(AccountSchema, accountMessage(account)));
  return 'createdAt' in json ? json.createdAt : undefined;
}

test('any time of sign-up can be told, or is not known', () => {
  const first = Date.parse('0001-01-01T00:00:00Z');
  const last = Date.parse('9999-12-31T23:59:59.999Z');
  assert.equal(toldOf(first), '0001-01-01T00:00:00Z');
  assert.equal(toldOf(last), '9999-12-31T23:59:59.999Z');
  for (const ms of [first - 1, last + 1, 0.5, Number.NaN, Infinity, -Infinity, undefined]) {
    assert.equal(toldOf(ms), undefined, String(ms));
  }
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: first, max: last }), fc.maxSafeInteger(), fc.double()), (ms) => {
      const isTime = Number.isInteger(ms) && ms >= first && ms <= last;
      assert.equal(typeof toldOf(ms) === 'string', isTime);
    }),
  );
});
