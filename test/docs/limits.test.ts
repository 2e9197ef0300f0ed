// Proves that docs/limits.md names every limit with its default, its variable and its worth, and none that does not
// exist.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../functions/limits.ts';
import { limitVariable } from '../../functions/process/limit-settings.ts';
import { emailMaxLength, passwordMaxBytes, passwordMinBytes } from '../../functions/users/validation.ts';
import { page, rowsOf } from './tables.ts';

describe('docs/limits.md', () => {
  const text = page('limits.md');
  const rows = rowsOf(text.split('## Of the contract')[0] ?? '');

  it('has one row for each limit, with its default and its variable', () => {
    const documented = rows.map(([name, value, variable]) => `${name} ${value} ${variable}`);
    const existing = Object.entries(limits).map(([name, value]) => `${name} ${value} ${limitVariable(name)}`);
    assert.deepEqual(documented.sort(), existing.sort());
  });

  it('says what each is about, and what it is worth against whom', () => {
    for (const [name, , , meaning, worth, ...rest] of rows) {
      assert.match(meaning ?? '', /^[A-Z].{20,}\.$/, name);
      assert.match(worth ?? '', /^[A-Z].{10,}\.$/, name);
      assert.deepEqual(rest, [], `the row of ${name} has one cell too many`);
    }
  });

  it('names no limit that does not exist', () => {
    // A name of ours ends with its unit, or is a number of things.
    const named = [...text.matchAll(/`(max[A-Z]\w+|\w+(?:Ms|Bytes|MiB))`/g)].map(([, name = '']) => name);
    for (const name of named) assert.ok(name in limits, name);
  });

  it('has the bounds of the contract', () => {
    assert.deepEqual(rowsOf(text, 'Of the contract').slice(1), [
      ['password', `${passwordMinBytes} to ${passwordMaxBytes} bytes in UTF-8`],
      ['email', `at most ${emailMaxLength} characters`],
    ]);
  });
});
