// A file of each released schema is opened with all that is in it: users, addresses, hashes and request ids, whose
// repeats still find their users; the upgrade is all of it or nothing. A file of a newer release is left alone. What
// others have added to a file stays, or is named before anything is changed.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { firstEtag } from '../../../functions/users/store.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { openSqliteFile } from '../../../functions/users/stores/sqlite-file.ts';
import { schemaVersion } from '../../../functions/users/stores/sqlite-schema.ts';
import { everybody, kept, listed, signedUp, unbounded } from './contract-setting.ts';
import { inFolder } from './sqlite-folder.ts';

const released = new URL('released/', import.meta.url);
const schema1 = readFileSync(new URL('schema-1.sql', released), 'utf8');
const expiresAtMs = Date.now() + 60_000;
const count = 3000;

/** Makes a file as the release with schema 1 left it when it ended, or when it was killed. */
function makeSchema1(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec(schema1);
  const insert = db.prepare('INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  db.exec('BEGIN');
  const full = ['Ann', 'ann', 'Ann@x.org', 'ann@x.org', '$argon2id$ann', 'r-ann', 'content', expiresAtMs];
  insert.run(4_294_967_295, ...full);
  insert.run(7, 'Bob', 'bob', null, null, null, 'r-bob', 'content', expiresAtMs - 120_000);
  for (let id = 1001; id <= 1000 + count; id++) {
    const email = id % 2 ? `${id}@x.org` : null;
    const request = id % 3 ? [`r-${id}`, 'f', expiresAtMs] : [null, null, null];
    insert.run(id, `U${id}`, `u${id}`, email, email, null, ...request);
  }
  db.exec('COMMIT');
  return db;
}

const schemaOf = (db: DatabaseSync) =>
  db
    .prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name')
    .all()
    .map(({ type, name, tbl_name, sql }) => [type, name, tbl_name, String(sql).replaceAll(/["\s]+/g, ' ')]);

test('there is a file of every released schema to upgrade from', () => {
  const files = Array.from({ length: schemaVersion - 1 }, (_, i) => `schema-${i + 1}.sql`);
  assert.deepEqual(readdirSync(released).sort(), files);
});

for (const end of ['ended', 'was killed']) {
  test(`schema 1, whose server ${end}, becomes the current one with all that is in it, and no warning`, () =>
    inFolder(async (folder, path) => {
      const old = makeSchema1(path);
      if (end === 'ended') old.close();
      const warnings: string[] = [];
      const store = openSqliteStore({ path, warn: (line) => warnings.push(line) });
      assert.deepEqual(warnings, []);
      const ann = {
        username: 'Ann',
        userId: 4_294_967_295,
        email: 'Ann@x.org',
        passwordHash: '$argon2id$ann',
        etag: firstEtag,
      };
      for (const key of [{ username: 'ANN' }, { userId: ann.userId }, { email: 'ANN@x.org' }])
        assert.deepEqual(await kept(store, key), ann, 'when she signed up is not known');
      assert.equal((await everybody(store)).length, count + 2);
      assert.equal((await listed(store, { prefix: 'u1' })).length, 999);
      const repeat = { ...ann, userId: 5, request: { id: 'r-ann', fingerprint: 'content', expiresAtMs } };
      assert.deepEqual(await store.signUp(repeat, unbounded), {
        outcome: 'repeated',
        user: { username: 'Ann', userId: ann.userId },
      });
      assert.deepEqual(await store.recall('r-1001', unbounded), { fingerprint: 'f', userId: 1001 });
      assert.equal(await store.recall('r-bob', unbounded), undefined, 'it has expired');
      const change = { from: ann, etag: '1', username: 'Zoe', email: null };
      assert.equal((await store.change(change, unbounded)).outcome, 'changed');
      const bob = await kept(store, { username: 'bob' });
      assert.equal(await store.remove({ from: bob, heldUntilMs: 0 }, unbounded), true);
      await signedUp(store, { username: 'ann', userId: 5, email: 'ann@x.org' });
      await store.close();
      if (old.isOpen) old.close();
      using upgraded = openSqliteFile(path);
      using made = openSqliteFile(`${folder}/new.sqlite`);
      assert.deepEqual(schemaOf(upgraded), schemaOf(made));
      assert.deepEqual(upgraded.prepare('PRAGMA integrity_check').all().map(Object.values), [['ok']]);
    }));
}

test('an upgrade that fails changes nothing, and says why in one line', () =>
  inFolder((_, path) => {
    const old = makeSchema1(path);
    old.exec('CREATE TABLE users_2 (a)'); // in the way of what the step makes meanwhile
    const before = schemaOf(old);
    old.close();
    assert.throws(() => openSqliteFile(path), {
      name: 'StoreError',
      message: /^cannot open .*users_2 already.*$/,
    });
    using after = new DatabaseSync(path);
    assert.deepEqual(schemaOf(after), before);
    assert.equal(after.prepare('PRAGMA user_version').get()?.user_version, 1);
    assert.equal(after.prepare('SELECT count(*) AS n FROM users').get()?.n, count + 2);
  }));

test('tables of others stay as they are, with what refers to users, and go on to refer to them', () =>
  inFolder((_, path) => {
    const old = makeSchema1(path);
    old.exec(`CREATE TABLE notes (user_id INTEGER REFERENCES users (user_id) ON DELETE CASCADE, note TEXT);
      CREATE TABLE marks (user_id INTEGER REFERENCES users (user_id), mark TEXT);
      INSERT INTO notes SELECT user_id, 'note' FROM users;
      INSERT INTO marks SELECT user_id, 'mark' FROM users;
      CREATE INDEX notes_by_user ON notes (user_id)`);
    const others = () => schemaOf(old).filter(([, , of]) => of === 'notes' || of === 'marks');
    const before = others();
    const db = openSqliteFile(path);
    const rowsOf = (table: string) => db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n;
    assert.deepEqual([rowsOf('notes'), rowsOf('marks')], [count + 2, count + 2]);
    assert.deepEqual(others(), before);
    assert.deepEqual(db.prepare('PRAGMA foreign_key_check').all(), []);
    assert.equal(db.prepare('PRAGMA foreign_keys').get()?.foreign_keys, 1, 'whose keys are kept as before');
    assert.equal(db.prepare('PRAGMA legacy_alter_table').get()?.legacy_alter_table, 0);
    db.exec('DELETE FROM marks; DELETE FROM users WHERE user_id = 7');
    assert.equal(rowsOf('notes'), count + 1);
    db.close();
    old.close();
  }));

for (const [named, sql] of [
  ['view names', 'CREATE VIEW names AS SELECT username FROM users'],
  ['trigger tr', 'CREATE TRIGGER tr AFTER INSERT ON users BEGIN DELETE FROM notes; END'],
  ['index by_name', 'CREATE INDEX by_name ON users (username)'],
  ['table requests', 'CREATE TABLE Requests (a)'],
  ['index holds_by_end', 'CREATE INDEX holds_by_end ON notes (a)'],
] as const) {
  test(`${named} of others is named, and the file stays as it is`, () =>
    inFolder((_, path) => {
      const old = makeSchema1(path);
      old.exec(`CREATE TABLE notes (a); ANALYZE; ${sql}`);
      const before = schemaOf(old);
      assert.throws(() => openSqliteFile(path), {
        name: 'StoreError',
        message: new RegExp(`^cannot open [^\\n]* lose or break: ${named}\\. [^\\n]*$`),
      });
      assert.deepEqual(schemaOf(old), before);
      assert.equal(old.prepare('PRAGMA user_version').get()?.user_version, 1);
      old.close();
    }));
}

test('addresses that schema 1 folded otherwise are found; of two that are one now nobody is lost, and it is said', () =>
  inFolder(async (_, path) => {
    const old = new DatabaseSync(path);
    old.exec(schema1);
    const insert = old.prepare(
      'INSERT INTO users (user_id, username, username_key, email, email_key) VALUES (?, ?, ?, ?, ?)',
    );
    const add = (id: number, name: string, email: string) =>
      insert.run(id, name, name, email, email.normalize('NFC').toLowerCase());
    add(1, 'jan', 'J\u030Can@x.org');
    add(2, 'low', '\u01F0ohn@x.org');
    add(3, 'cap', 'J\u030Cohn@x.org');
    add(4, 'nikos', '\u03BD\u03AF\u03BA\u03BF\u03C2@x.org');
    old.close();
    const warnings: string[] = [];
    const store = openSqliteStore({ path, warn: (line) => warnings.push(line) });
    assert.equal(warnings.length, 1);
    assert.match(warnings.join(), /1: user_id 3\)/);
    for (const email of ['J\u030Can@x.org', '\u01F0AN@x.org'])
      assert.equal((await kept(store, { email })).userId, 1);
    assert.equal((await kept(store, { email: '\u039D\u038A\u039A\u039F\u03A3@x.org' })).userId, 4);
    assert.equal((await kept(store, { email: 'J\u030COHN@x.org' })).userId, 2);
    const cap = await kept(store, { userId: 3 });
    assert.equal(cap.email, 'J\u030Cohn@x.org');
    const renamed = await store.change({ from: cap, etag: '1', username: 'caps' }, unbounded);
    assert.ok(renamed.outcome === 'changed', renamed.outcome);
    const moved = await store.change({ from: renamed.account, etag: '2', email: 'cap@x.org' }, unbounded);
    assert.equal(moved.outcome, 'changed');
    assert.equal((await kept(store, { email: 'cap@x.org' })).username, 'caps');
    assert.equal((await kept(store, { email: '\u01F0ohn@x.org' })).userId, 2);
    await store.close();
    const again = openSqliteStore({ path, warn: (line) => warnings.push(line) });
    assert.equal(warnings.length, 1, 'it is said once');
    await again.close();
  }));
