// Proves that only hashes of known parameters are read, and only as they are written: whatever else is stored is none.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPhc, readPhc, tagBytes } from '../../functions/users/phc.ts';

const today = { memoryKiB: 19_456, passes: 2, lanes: 1 };
const older = { memoryKiB: 8_192, passes: 1, lanes: 1 };
const known = [today, older];
const salt = 'AAECAwQFBgcICQoLDA0ODw';
const tag = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const phc = `$argon2id$v=19$m=19456,t=2,p=1$${salt}$${tag}`;

describe('a PHC string', () => {
  it('is read as it was written', () => {
    const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
    fc.assert(
      fc.property(
        fc.constantFrom(today, older),
        bytes(8, 48),
        bytes(tagBytes, tagBytes),
        (parameters, salt, tag) => {
          const read = readPhc(formatPhc({ parameters, salt, tag }), known) ?? assert.fail();
          assert.equal(read.parameters, parameters);
          assert.deepEqual([new Uint8Array(read.salt), new Uint8Array(read.tag)], [salt, tag]);
        },
      ),
    );
    assert.equal(readPhc(phc, known)?.parameters, today);
    assert.equal(readPhc(phc, [older]), undefined, 'its parameters are not known');
  });

  for (const text of [
    '',
    'open sesame',
    ` ${phc}`,
    `${phc}\n`,
    `${phc}=`,
    phc.replace('argon2id', 'argon2i'),
    phc.replace('v=19', 'v=16'),
    phc.replace('m=19456', 'm=4194304'),
    phc.replace('m=19456', 'm=019456'),
    phc.replace('m=19456', 'm=19456.0'),
    phc.replace('t=2', 't=4294967295'),
    phc.replace('m=19456,t=2', 't=2,m=19456'),
    phc.replace(',p=1', ''),
    phc.replace(',p=1', ',p=1,keyid=AA'),
    phc.replace(salt, ''),
    phc.replace(salt, 'AAECAw'),
    phc.replace(salt, 'A'.repeat(65)),
    phc.replace(salt, `${salt.slice(0, -1)}x`),
    phc.replace(tag, `${tag.slice(0, -1)}9`),
    phc.replace(tag, tag.slice(0, -1)),
    phc.replace(tag, `${tag}A`),
    phc.replace(tag, tag.replace('Q', '_')),
    phc.repeat(2),
    `$argon2id$v=19$${'m'.repeat(1_000_000)}`,
  ]) {
    it(`is not ${JSON.stringify(text.slice(0, 120))}`, () => {
      assert.notEqual(text, phc);
      assert.equal(readPhc(text, known), undefined);
    });
  }

  it('is none of any other text', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^\$argon2id\$v=19\$[\w,=+/$]{0,150}$/)),
        (text) => {
          const read = readPhc(text, known);
          if (read !== undefined) assert.equal(formatPhc(read), text);
        },
      ),
    );
  });
});
