// Proves that docs/methods.md has every method with the scopes that it needs and errors that exist, and that
// `npm run check` names what a new method still lacks.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { usersErrors } from '../../functions/users/errors.ts';
import { methodScopes } from '../../functions/users/scopes.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { missingRows } from './rows.ts';
import { page, rowsOf } from './tables.ts';

const wordsIn = (cell = '') =>
  [...cell.matchAll(/`([^`]+)`|^([\w.]+)$/g)].map(([, marked, bare]) => marked ?? bare);

describe('docs/methods.md', () => {
  const rows = rowsOf(page('methods.md'), 'The methods');

  it('has the methods in their order, with their scopes', () => {
    const scopes = new Map(Object.entries(methodScopes));
    assert.deepEqual(
      rows.map(([name, , cell]) => [name, wordsIn(cell)]),
      Users.methods.map(({ name }) => [name, scopes.get(`/Users/${name}`)]),
    );
  });

  it('names errors that there are', () => {
    for (const [name, , , , cell] of rows) {
      for (const reason of wordsIn(cell)) assert.ok(reason && reason in usersErrors, `${name}: ${reason}`);
    }
  });

  it('lacks nothing, and a method that has no rows is asked for by name', () => {
    assert.deepEqual(missingRows(), []);
    assert.deepEqual(missingRows(['GetUsers', 'CountUsers']), [
      'functions/users/scopes.ts: add a row for the method /Users/CountUsers',
      'functions/users/examples.ts: add a row for the method Users.CountUsers',
      'docs/methods.md: add a row for the method CountUsers',
      'test/users/count-users.test.ts: add the test of the method CountUsers',
    ]);
  });
});
