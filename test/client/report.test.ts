// Proves that nothing a server says steers the terminal of who reads it.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { printable } from '../../client/cli/report.ts';

it('shows control characters instead of sending them', () => {
  assert.equal(
    printable('taken\n\u001b]0;title\u0007\u009b1mUser created: bob'),
    'taken\\x0a\\x1b]0;title\\x07\\x9b1mUser created: bob',
  );
  assert.equal(printable('größer ☺'), 'größer ☺');
});
