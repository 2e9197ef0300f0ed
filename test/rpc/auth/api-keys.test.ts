// Proves that a key is known by its hash alone, whatever stands around it in the header, that keys of one name are one
// caller, and that a token which is no key is left to the next way.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { apiKeyWay, type Caller } from '../../../functions/rpc/index.ts';
import { keyOf } from './keys.ts';
import { requestOf } from './request.ts';

const way = apiKeyWay([
  keyOf('old', 'billing', ['users.read']),
  keyOf('new', 'billing', ['users.read', 'users.write']),
  keyOf('other', 'support', []),
]);

function callerOf(authorization?: string): Caller | undefined {
  const found = way.identify(requestOf({ headers: { authorization } }));
  assert.ok(!(found instanceof Promise), 'it is known at once');
  return found;
}

it('knows its keys', () => {
  for (const [authorization, id, scopes] of [
    ['Bearer old', 'key:billing', ['users.read']],
    ['Bearer new', 'key:billing', ['users.read', 'users.write']],
    ['bearer  other ', 'key:support', []],
  ] as const) {
    const caller = callerOf(authorization);
    assert.deepEqual([caller?.kind, caller?.id, [...(caller?.scopes ?? [])]], ['key', id, scopes]);
  }
});

it('makes no caller anew with each call', () => {
  assert.equal(callerOf('Bearer old'), callerOf('Bearer old'));
});

it('knows nothing else', () => {
  const { sha256 } = keyOf('old', '', []);
  for (const authorization of [
    undefined,
    '',
    'old',
    'Bearer',
    'Bearer ',
    'Bearer OLD',
    'Bearer old new',
    'Basic old',
    `Bearer ${sha256.toString('hex')}`,
    `Bearer ${'old'.repeat(10_000)}`,
  ]) {
    assert.equal(callerOf(authorization), undefined, authorization);
  }
});
