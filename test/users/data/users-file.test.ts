// Proves that the look at a backup ends, whatever is in the file, with its process; that tables and indexes which an
// operator has added are passed over, and that what would run in a server is named, also where SQLite reads it in
// another way than it writes it.
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { DataError } from '../../../functions/users/data/data-error.ts';
import { inspect } from '../../../functions/users/data/users-file.ts';
import { schemaVersion } from '../../../functions/users/stores/sqlite-schema.ts';
import { addUsers, UsersFolder } from './users-folder.ts';

const signal = AbortSignal.timeout(120_000);

/** A file with 3 users, which others have worked on. */
async function fileWith(users: UsersFolder, sql: string): Promise<string> {
  await users.with('data', (store) => addUsers(store, 3));
  const path = users.path('data/users.sqlite');
  using db = new DatabaseSync(path);
  db.enableDefensive(false); // so that the schema can be written
  db.exec(sql);
  return path;
}

test('what an operator has added is kept; what would run in a server is named', async () => {
  using users = new UsersFolder();
  const path = await fileWith(
    users,
    `CREATE TABLE notes (user_id INTEGER REFERENCES users ON DELETE CASCADE, note TEXT);
     CREATE UNIQUE INDEX by_name ON users (username);
     ANALYZE;
     CREATE TRIGGER audit AFTER INSERT ON users BEGIN INSERT INTO notes VALUES (new.user_id, new.password_hash); END;
     CREATE VIEW names AS SELECT username FROM users;
     CREATE TRIGGER disguised AFTER DELETE ON users BEGIN SELECT 1; END;
     PRAGMA writable_schema = ON;
     UPDATE sqlite_schema SET sql = 'create' || substr(sql, 7) WHERE name = 'disguised'`,
  );
  const found = await inspect(path, 'it', schemaVersion, signal);
  const foreign = ['trigger audit', 'view names', 'something disguised'];
  assert.deepEqual(found, { users: 3, schema: schemaVersion, foreign });

  const { err } = await users.ok('data', ['backup', users.path('b')]);
  assert.match(
    err,
    /\nIt has what .+ restore needs --force: trigger audit, view names, something disguised\n/,
  );
  assert.equal((await users.run('other', ['restore', users.path('b')])).code, 1);
  await users.ok('other', ['restore', '--force', users.path('b')]);
  using db = new DatabaseSync(users.path('other/users.sqlite'));
  assert.equal(db.prepare('SELECT count(*) AS n FROM names').get()?.n, 3);
});

test('a check that does not end is ended', { timeout: 60_000 }, async () => {
  using users = new UsersFolder();
  // The column is made a dear one once it is filled: a millisecond or more for each of a million rows.
  const endless = `CREATE TABLE slow (a, b AS (abs(a)) NOT NULL);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e6) INSERT INTO slow SELECT 1e6 FROM n;
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'abs(a)', 'length(hex(zeroblob(a)))') WHERE name = 'slow'`;
  const path = await fileWith(users, endless);
  await assert.rejects(
    inspect(path, 'it', schemaVersion, signal, 2_000),
    (error) => error instanceof DataError && error.message === 'it takes too long to check',
  );
  const interrupt = new AbortController();
  const checking = inspect(path, 'it', schemaVersion, interrupt.signal);
  interrupt.abort();
  await assert.rejects(checking, { name: 'AbortError' });
  // Both processes have ended. Their handles are closed some turns later.
  while (process.getActiveResourcesInfo().includes('ProcessWrap')) await new Promise(setImmediate);
});
