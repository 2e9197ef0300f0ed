// Proves that nothing a server says steers the terminal of who reads it, and that JSON stays JSON.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { printable } from '../../client/cli/report.ts';

it('shows control and format characters instead of sending them', () => {
  assert.equal(
    printable('taken\n\u001b]0;title\u0007\u009b1mUser created: bob'),
    'taken\\u000a\\u001b]0;title\\u0007\\u009b1mUser created: bob',
  );
  assert.equal(
    printable('a\u007f\u202eb\u2066c\u2028\u2029\u200b\ufeff'),
    'a\\u007f\\u202eb\\u2066c\\u2028\\u2029\\u200b\\ufeff',
  );
  assert.equal(printable('\u{e0041}'), '\\udb40\\udc41');
  assert.equal(printable('größer ☺ 😀'), 'größer ☺ 😀');
});

it('keeps JSON as it is meant', () => {
  const said = { message: 'a\n\u007f\u009b1m\u202e\u2028\u{e0041} ☺ \\ "' };
  const line = printable(JSON.stringify(said));
  assert.deepEqual(JSON.parse(line), said);
  assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
});
