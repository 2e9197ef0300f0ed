// A file of each released schema is opened with all that is in it: users, addresses, hashes and request ids, whose
// repeats still find their users; the upgrade is all of it or nothing. A file of a newer release is left alone.
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
    old.exec('CREATE TABLE holds (a)'); // in the way of the last part of the step
    const before = schemaOf(old);
    old.close();
    assert.throws(() => openSqliteFile(path), {
      name: 'StoreError',
      message: /^cannot open .*holds already.*$/,
    });
    using after = new DatabaseSync(path);
    assert.deepEqual(schemaOf(after), before);
    assert.equal(after.prepare('PRAGMA user_version').get()?.user_version, 1);
    assert.equal(after.prepare('SELECT count(*) AS n FROM users').get()?.n, count + 2);
  }));
