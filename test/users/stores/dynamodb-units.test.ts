// What a sign-up costs in write units, by AWS's rules: two for each rule that it keeps (name, address, request id, user
// id), however long what validation lets through. So the figures of the deployment's costs are right.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SignUp } from '../../../functions/users/store.ts';
import type { Item } from '../../../functions/users/stores/dynamodb-items.ts';
import { signUpWrites } from '../../../functions/users/stores/dynamodb-writes.ts';
import { emailMaxLength, isEmail, isUsername } from '../../../functions/users/validation.ts';
import { signUpWriteUnits, writtenItemUnits } from '../../../infra/prices.ts';

/**
 * The size of an item: names and texts in UTF-8, of a number half a byte for each digit, and a byte or two.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
function bytesOf(item: Item): number {
  const sizes = Object.entries(item).map(([name, { S, N = '' }]) => {
    return Buffer.byteLength(name) + (S === undefined ? Math.ceil(N.length / 2) + 2 : Buffer.byteLength(S));
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Two units for each begun KB of each item of a transaction. */
function unitsOf(signUp: SignUp): number {
  const writes = signUpWrites(signUp, { table: 'users', nowMs: Date.now() });
  const kilobytes = writes.map(({ write }) => {
    const item = write.Put?.Item ?? write.ConditionCheck?.Key ?? assert.fail('neither a put nor a check');
    return Math.ceil(bytesOf(item) / 1024);
  });
  return writtenItemUnits * kilobytes.reduce((sum, count) => sum + count, 0);
}

const passwordHash = `$argon2id$v=19$m=19456,t=2,p=1$${'x'.repeat(22)}$${'x'.repeat(43)}`;
const ann = { username: 'ann', userId: 7, passwordHash, createdAtMs: Date.now() };
const request = { id: 'x'.repeat(43), fingerprint: 'x'.repeat(64), expiresAtMs: Date.now() };

test('a sign-up costs two units for each rule that it keeps', () => {
  assert.equal(unitsOf(ann), 4);
  assert.equal(unitsOf({ ...ann, email: 'ann@x.org' }), 6);
  assert.equal(unitsOf({ ...ann, request }), 6);
  assert.equal(unitsOf({ ...ann, email: 'ann@x.org', request }), 8);
  assert.equal(signUpWriteUnits, 8);
});

test('the longest that validation lets through costs no more', () => {
  const username = 'x'.repeat(64);
  const email = '@x.org'.padStart(emailMaxLength, '字');
  assert.ok(isUsername(username) && isEmail(email) && !isUsername(`${username}x`) && !isEmail(`x${email}`));
  assert.equal(unitsOf({ ...ann, username, userId: 2 ** 32 - 1, email, request }), signUpWriteUnits);
});

test('an address that version 1 folded otherwise is looked for under its former key too, for two more', () => {
  assert.equal(
    unitsOf({ ...ann, email: 'ǰ@x.org'.toUpperCase(), request }),
    signUpWriteUnits + writtenItemUnits,
  );
});
