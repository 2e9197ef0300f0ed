// Proves that a caller's name is short and is text, and that two callers never have one id, however long or odd their
// names.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { callerOfKind, maxNameCharacters } from '../../../functions/rpc/auth/caller.ts';

describe('a caller', () => {
  it('has the name that it has, if that is short', () => {
    const name = 'n'.repeat(maxNameCharacters - 1);
    assert.equal(callerOfKind('key', name, []).id, `key:${name}`);
    assert.equal(callerOfKind('token', 'billing', []).id, 'token:billing');
  });

  it('can not take the id of one whose name was cut', () => {
    const { name } = callerOfKind('token', 'n'.repeat(300), []);
    assert.notEqual(callerOfKind('token', name, []).name, name);
  });

  it('has an id of its own, that is text and not too long', () => {
    const end = fc.string({ unit: 'binary', maxLength: 300 });
    const lone = fc.constantFrom('', '\ud800', '\ud801', '\udc00');
    const name = fc
      .tuple(fc.constantFrom('', 'n'.repeat(120), '\ud800'.repeat(90)), end, lone)
      .map((it) => it.join(''));
    fc.assert(
      fc.property(name, name, (one, other) => {
        const [a, b] = [callerOfKind('key', one, []), callerOfKind('key', other, [])];
        for (const it of [a, b]) assert.ok(it.name.length <= maxNameCharacters && it.name.isWellFormed());
        assert.equal(a.id === b.id, one === other);
      }),
    );
  });
});
