// Proves that an export changes nothing of the users file: one of an earlier release is read as it is, while its server
// writes, and also when it is upgraded meanwhile; and that what is no users file, or of a newer release, is refused.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { readLine } from '../../../functions/users/data/export-format.ts';
import { StoreError } from '../../../functions/users/store.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { readSqliteFile } from '../../../functions/users/stores/sqlite-export.ts';
import { schemaVersion } from '../../../functions/users/stores/sqlite-schema.ts';
import { addUsers, everybody, UsersFolder } from './users-folder.ts';

const signal = AbortSignal.timeout(60_000);
const schema1 = readFileSync(new URL('../stores/released/schema-1.sql', import.meta.url), 'utf8');

/** Makes a users file as releases with schema 1 do, and keeps it open as their server does. */
function released(users: UsersFolder, count: number): DatabaseSync {
  mkdirSync(users.path('data'), { recursive: true });
  const db = new DatabaseSync(users.path('data/users.sqlite'));
  db.exec('PRAGMA journal_mode = WAL');
  db.exec(schema1);
  const insert = db.prepare('INSERT INTO users (user_id, username, username_key) VALUES (?, ?, ?)');
  db.exec('BEGIN');
  for (let id = 1; id <= count; id++) insert.run(id, `U${id}`, `u${id}`);
  db.exec('COMMIT');
  return db;
}

test('the file of a released server that runs is read as it is', async () => {
  using users = new UsersFolder();
  using db = released(users, 1_234);
  const { out } = await users.ok('data', ['export']);
  const lines = out.trimEnd().split('\n').map(readLine);
  assert.deepEqual([lines.length, lines.at(-1)], [1_236, { kind: 'end', accounts: 1_234 }]);
  assert.deepEqual(lines[1]?.kind === 'account' && lines[1].account.username, 'U1');
  assert.equal(db.prepare('PRAGMA user_version').get()?.user_version, 1);
  db.exec("INSERT INTO users (user_id, username, username_key) VALUES (9999, 'Tom', 'tom')");
});

test('a file that is not open stays as it is, byte by byte', async () => {
  using users = new UsersFolder();
  released(users, 10).close();
  await users.with('new', (store) => addUsers(store, 10));
  for (const name of ['data', 'new']) {
    const before = readFileSync(users.path(name, 'users.sqlite'));
    await users.ok(name, ['export']);
    assert.ok(readFileSync(users.path(name, 'users.sqlite')).equals(before));
  }
});

test('a file that is upgraded meanwhile is read to its end, with what is new', async () => {
  using users = new UsersFolder();
  const file = users.path('data/users.sqlite');
  released(users, 1_200).close();
  using source = readSqliteFile(file);
  const etags = [];
  for await (const accounts of source.all(signal)) {
    etags.push(...accounts.map(({ etag }) => etag));
    if (etags.length > 500) continue;
    const store = openSqliteStore({ path: file });
    const last = (await everybody(store)).at(-1) ?? assert.fail();
    await store.change({ from: last, etag: 'new' }, signal);
    await store.close();
  }
  assert.deepEqual([etags.length, etags[0], etags.at(-1)], [1_200, 'first', 'new']);
});

test('what is no users file of this release or an older one is refused', async () => {
  using users = new UsersFolder();
  await users.with('newer', (store) => addUsers(store, 1));
  const make = (name: string, sql: string) => {
    mkdirSync(users.path(name), { recursive: true });
    using db = new DatabaseSync(users.path(name, 'users.sqlite'));
    db.exec(sql);
  };
  make('newer', `PRAGMA user_version = ${schemaVersion + 1}`);
  make('other', 'CREATE TABLE things (a)');
  for (const [name, line] of [
    ['newer', /\ncannot read the users file .+: a newer release has made it: .+\n$/],
    ['other', /\ncannot read the users file .+: it is not a file of users\n$/],
  ] as const) {
    const { code, out, err } = await users.run(name, ['export']);
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, line);
  }
  assert.throws(() => readSqliteFile(users.path('missing')), StoreError);
});
