// Proves that what is exported is read back the same, whatever an account holds; that nothing else is read, whatever a
// line holds; and that lines are cut the same wherever the stream is cut, with bounded memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  accountLine,
  endLine,
  headLine,
  maxLineBytes,
  readLine,
} from '../../../functions/users/data/export-format.ts';
import { type Line, linesOf } from '../../../functions/users/data/lines.ts';
import type { Account } from '../../../functions/users/store.ts';
import { isEmail, isUsername } from '../../../functions/users/validation.ts';
import { someHash } from './users-folder.ts';

const account: fc.Arbitrary<Account> = fc.record(
  {
    username: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
    userId: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    email: fc.option(
      fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
        .map((it) => `${it}@x.org`)
        .filter(isEmail),
      { nil: undefined },
    ),
    passwordHash: fc.option(fc.constant(someHash), { nil: undefined }),
    createdAtMs: fc.option(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), {
      nil: undefined,
    }),
    etag: fc.stringMatching(/^[\x21-\x7e]{1,40}$/),
  },
  { noNullPrototype: true },
);

test('an account is read as it was written, in less than the longest line', () => {
  fc.assert(
    fc.property(account, (one) => {
      const line = accountLine(one);
      assert.deepEqual(readLine(line), { kind: 'account', account: one });
      assert.ok(Buffer.byteLength(line) < maxLineBytes);
    }),
  );
  const odd = { username: 'Tom', userId: 1, etag: 'first', createdAtMs: 9e15 };
  assert.deepEqual(readLine(accountLine(odd)), {
    kind: 'account',
    account: { ...odd, createdAtMs: undefined, email: undefined, passwordHash: undefined },
  });
  assert.deepEqual(readLine(headLine), { kind: 'head' });
  assert.deepEqual(readLine(endLine(7)), { kind: 'end', accounts: 7 });
});

test('any other line is refused, in words that do not show it', () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('a', 1, 0, '', someHash, 'first', '2026-01-01T00:00:00.000Z'),
  );
  const keys = [
    'username',
    'userId',
    'email',
    'passwordHash',
    'createdAt',
    'etag',
    'format',
    'version',
    'end',
  ];
  const fields = fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), value);
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fields.map((it) => JSON.stringify(it)),
  );
  fc.assert(
    fc.property(text, (line) => {
      const read = readLine(line);
      if (read.kind === 'account') {
        const { username, email, userId } = read.account;
        assert.ok(isUsername(username) && (email === undefined || isEmail(email)) && userId >= 1);
      }
      if (read.kind === 'bad') assert.match(read.problem, /^[\w :".-]{5,80}$/);
    }),
    { numRuns: 2_000 },
  );
});

test('each field is checked as a sign-up is', () => {
  const valid = { username: 'Tom', userId: 7, etag: 'first' };
  const problems: [object, RegExp][] = [
    [{ ...valid, username: 'a b' }, /username/],
    [{ ...valid, username: undefined }, /username/],
    [{ ...valid, userId: 0 }, /userId/],
    [{ ...valid, userId: 2 ** 32 }, /userId/],
    [{ ...valid, userId: 1.5 }, /userId/],
    [{ ...valid, userId: '7' }, /userId/],
    [{ ...valid, email: '' }, /email/],
    [{ ...valid, email: `${'a'.repeat(250)}@x.org` }, /email/],
    [{ ...valid, email: null }, /email/],
    [{ ...valid, passwordHash: 'secret' }, /passwordHash/],
    [{ ...valid, passwordHash: someHash.replace('m=19456', 'm=4194304') }, /passwordHash/],
    [{ ...valid, passwordHash: someHash.replace('argon2id', 'argon2i') }, /passwordHash/],
    [{ ...valid, createdAt: '2026-02-30T00:00:00.000Z' }, /createdAt/],
    [{ ...valid, createdAt: '2026-01-01T00:00:00Z' }, /createdAt/],
    [{ ...valid, createdAt: 1 }, /createdAt/],
    [{ ...valid, createdAt: '0000-12-31T23:59:59.999Z' }, /createdAt/],
    [{ ...valid, etag: '' }, /etag/],
    [{ ...valid, etag: 'a\nb' }, /etag/],
    [{ ...valid, etag: undefined }, /etag/],
    [{ ...valid, admin: true }, /field that no account has/],
    [[valid], /no JSON object/],
    [{ format: 'users-export', version: 2 }, /version/],
    [{ format: 'other', version: 1 }, /format/],
    [{ end: true, accounts: -1 }, /no end/],
  ];
  for (const [value, pattern] of problems) {
    const read = readLine(JSON.stringify(value));
    assert.ok(read.kind === 'bad' && pattern.test(read.problem), JSON.stringify([value, read]));
  }
  assert.equal(readLine(JSON.stringify(valid)).kind, 'account');
});

test('lines are the same wherever the stream is cut; a long one is skipped', async () => {
  const bytes = fc
    .uint8Array({ maxLength: 60 })
    .map((it) => it.map((byte) => (byte % 5 === 0 ? 0x0a : byte)));
  const check = fc.asyncProperty(bytes, fc.array(fc.nat(60), { maxLength: 6 }), async (all, cuts) => {
    const places = [0, ...cuts.map((it) => Math.min(it, all.length)).sort((a, b) => a - b), all.length];
    async function* chunks() {
      for (const [i, from] of places.slice(0, -1).entries()) yield all.subarray(from, places[i + 1]);
    }
    const expected = lines(all);
    const found: Line[] = [];
    for await (const line of linesOf(chunks(), 12)) found.push(line);
    assert.deepEqual(found, expected);
  });
  await fc.assert(check, { numRuns: 500 });
});

function lines(all: Uint8Array): Line[] {
  const parts = Buffer.from(all).toString('latin1').split('\n');
  if (parts.at(-1) === '') parts.pop();
  return parts.map((part) => {
    const bytes = Buffer.from(part, 'latin1');
    if (bytes.length > 12) return { problem: 'is longer than 12 bytes' };
    const text = bytes.toString('utf8');
    return Buffer.from(text).equals(bytes) ? { text } : { problem: 'is not UTF-8' };
  });
}
