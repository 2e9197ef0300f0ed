// Two addresses that differ in case, in how accents are composed, or in both are one: for each character that an
// address can have, and for any text of those that are hard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { folded } from '../../../functions/users/stores/folded.ts';

const capitals = (text: string) => text.toUpperCase();
const composed = (text: string) => text.normalize('NFC');
const decomposed = (text: string) => text.normalize('NFD');

test('each character, its capital and their decompositions fold to one text, which folds to itself', () => {
  for (let point = 0; point <= 0x10ffff; point += 1) {
    const text = String.fromCodePoint(point);
    if (/[\p{C}\s]/u.test(text)) continue;
    const key = folded(text);
    const others = [
      composed(text),
      decomposed(text),
      text.toLowerCase(),
      decomposed(text.toLowerCase()),
      key,
    ];
    // Of some, such as the long s, the capital is another letter's: they are two.
    if (folded(capitals(text).toLowerCase()) === key) others.push(capitals(text), decomposed(capitals(text)));
    for (const other of others) assert.equal(folded(other), key, `${text} U+${point.toString(16)}`);
  }
});

test('so do texts of them', () => {
  const hard = [
    'a',
    'J',
    'j',
    '\u030C',
    '\u01F0',
    '\u0390',
    '\u03B0',
    '\u03B9',
    '\u0399',
    '\u03C5',
    '\u03A5',
    '\u0308',
  ];
  const more = [
    '\u0301',
    '\u0342',
    '\u0345',
    '\u0130',
    'I',
    '\u0307',
    '\u03A3',
    '\u03C3',
    '\u03C2',
    '\u1E96',
    'H',
    '\u0331',
    '@',
    '.',
  ];
  const text = fc.array(fc.constantFrom(...hard, ...more), { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (text) => {
      const key = folded(text);
      for (const other of [composed(text), decomposed(text), text.toLowerCase(), key, decomposed(key)])
        assert.equal(folded(other), key);
    }),
    { numRuns: 5_000 },
  );
});
