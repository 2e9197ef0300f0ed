// Proves what restore refuses, each in a line; that it loses nothing: the users file of before is kept; that a backup
// of an older release is upgraded by the server that opens it; and that a process which waits for the users file
// meanwhile gets the new one, or none.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { schemaVersion } from '../../../functions/users/stores/sqlite-schema.ts';
import { ServerProcess } from '../../support/process.ts';
import { addUsers, everybody, UsersFolder } from './users-folder.ts';

test('the users of the backup are there, and those of before in a file beside it', async () => {
  using users = new UsersFolder();
  const count = async () => (await users.with('data', everybody)).length;
  await users.with('data', (store) => addUsers(store, 10));
  await users.ok('data', ['backup', users.path('b')]);
  await users.with('data', (store) => addUsers(store, 5, 11));
  const { err } = await users.ok('data', ['restore', users.path('b')]);
  const [, before = ''] = /^The users file of before is (.+)$/m.exec(err) ?? [];
  assert.match(before, /users\.sqlite\.before-restore-\d{8}T\d{6}Z$/);
  assert.equal(statSync(before).mode & 0o777, 0o600);
  assert.equal(await count(), 10);
  assert.deepEqual(users.list('data'), ['users.sqlite', basename(before)], 'and nothing else is left');
  await users.ok('other', ['restore', before]);
  assert.equal((await users.with('other', everybody)).length, 15);
});

test('the users file is for its owner alone, and can be written, whatever the mode of the backup', async () => {
  using users = new UsersFolder();
  await users.with('other', (store) => addUsers(store, 10));
  await users.ok('other', ['backup', users.path('b')]);
  for (const mode of [0o644, 0o400, 0o777]) {
    chmodSync(users.path('b'), mode);
    await users.ok(`data-${mode}`, ['restore', users.path('b')]);
    assert.equal(statSync(users.path(`data-${mode}`, 'users.sqlite')).mode & 0o777, 0o600);
  }
});

test('where users.sqlite is a link, what it leads to is replaced, and kept', async () => {
  using users = new UsersFolder();
  await users.with('other', (store) => addUsers(store, 3));
  await users.ok('other', ['backup', users.path('b')]);
  mkdirSync(users.path('data'));
  mkdirSync(users.path('disk'));
  symlinkSync('../middle', users.path('data/users.sqlite'));
  symlinkSync('disk/real', users.path('middle'));
  for (const added of [0, 10]) {
    // At first it leads to what is not there.
    if (added > 0) await users.with('data', (store) => addUsers(store, added, 4));
    const { err } = await users.ok('data', ['restore', users.path('b')]);
    assert.ok(err.startsWith(`Users: ${users.path('disk/real')}\n`), err);
    assert.ok(lstatSync(users.path('data/users.sqlite')).isSymbolicLink());
    assert.equal((await users.with('data', everybody)).length, 3);
  }
  assert.deepEqual(users.list('data'), ['users.sqlite']);
  const [real, before = '', ...others] = users.list('disk');
  assert.deepEqual([real, others], ['real', []]);
  await users.ok('again', ['restore', users.path('disk', before)]);
  assert.equal((await users.with('again', everybody)).length, 13);
});

test('a users file that has another name is not damaged under it', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 3));
  await users.ok('data', ['backup', users.path('b')]);
  linkSync(users.path('data/users.sqlite'), users.path('snapshot'));
  const before = readFileSync(users.path('snapshot'));
  const { code, err } = await users.run('data', ['restore', '--force', users.path('b')]);
  assert.equal(code, 1);
  assert.match(err, /\nthe users file .+users\.sqlite has other names \(hard links\), .+\n$/);
  assert.ok(readFileSync(users.path('snapshot')).equals(before));
});

test('while a server has the file open, nothing is restored', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 10));
  await users.ok('data', ['backup', users.path('b')]);
  await using server = new ServerProcess({ settings: users.settings('data') });
  await server.url();
  const { code, err } = await users.run('data', ['restore', '--force', users.path('b')]);
  assert.equal(code, 1);
  assert.match(err, /a server has the users file .+users\.sqlite open: end it first\n$/);
  assert.deepEqual(
    users.list('data').filter((it) => it.includes('before')),
    [],
  );
  await server.stop();
  await users.ok('data', ['restore', users.path('b')]);
});

test('a file that is foreign, cut short, damaged, newer or of a running server is refused', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 1_000));
  await users.ok('data', ['backup', users.path('whole')]);
  const made = (name: string, change: (path: string) => void) => {
    copyFileSync(users.path('whole'), users.path(name));
    change(users.path(name));
  };
  const sql = (text: string) => (path: string) => {
    using db = new DatabaseSync(path);
    db.exec(text);
  };
  made('foreign', (path) => writeFileSync(path, 'text'));
  made('empty', (path) => truncateSync(path));
  made('cut', (path) => truncateSync(path, statSync(path).size - 8_192));
  made('damaged', (path) => {
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xff, 8_192, 12_288));
  });
  made('newer', sql(`PRAGMA user_version = ${schemaVersion + 1}`));
  made('other', sql('DROP TABLE users; CREATE TABLE things (a)'));
  made('alone', sql('DROP TABLE requests; DROP TABLE holds'));
  const looksLike = 'user_id, username, username_key, password_hash, email, email_key, created_at_ms, etag';
  made('loose', sql(`ALTER TABLE users RENAME TO mine; CREATE TABLE users (${looksLike})`));
  const endless = `WITH RECURSIVE n(${looksLike}) AS (
    SELECT 1, 1, 1, 1, 1, 1, 1, 1 UNION ALL SELECT user_id + 1, 1, 1, 1, 1, 1, 1, 1 FROM n) SELECT * FROM n`;
  made('view', sql(`ALTER TABLE users RENAME TO mine; CREATE VIEW users AS ${endless}`));
  made('ignoring', sql('CREATE TRIGGER t BEFORE INSERT ON users BEGIN SELECT RAISE(IGNORE); END'));
  made('beside', sql(`CREATE VIEW v AS ${endless}; CREATE VIRTUAL TABLE f USING fts5(a)`));
  made('tables', sql(Array.from({ length: 1_000 }, (_, i) => `CREATE TABLE t${i} (a)`).join(';')));
  made('live', sql('PRAGMA journal_mode = WAL'));
  const refusals: Record<string, RegExp> = {
    missing: /cannot read the backup .+missing: ENOENT: no such file or directory\n$/,
    '.': /cannot read the backup .+: it is a folder\n$/,
    foreign: /foreign is no SQLite file\n$/,
    empty: /empty is no SQLite file\n$/,
    cut: /cut is (no whole SQLite file|damaged): .+\n$/,
    damaged: /damaged is (no whole SQLite file|damaged): .+\n$/,
    newer: /newer is of a newer release: its schema is \d, and this release knows \d and older\n$/,
    other: /other is a SQLite file, but not one of users: it has not what schema \d makes: users\n$/,
    alone: /alone .+: it has not what schema \d makes: requests, requests_by_expiry, holds, holds_by_end\n$/,
    loose: /loose is a SQLite file, but not one of users: .+ makes: users\n$/,
    view: /view is a SQLite file, but not one of users: .+ makes: users\n$/,
    ignoring: /ignoring has what this service has not made, .+ run: trigger t\. .+--force\n$/,
    beside: /beside has what .+ run: view v, virtual table f\. .+--force\n$/,
    tables: /tables is a SQLite file, but not one of users: it has 1000 tables or more\n$/,
    live: /live is the users file of a server, or a plain copy of one, .+--force\n$/,
  };
  for (const [name, line] of Object.entries(refusals)) {
    const { code, err } = await users.run('data', ['restore', users.path(name)]);
    assert.equal(code, 1, name);
    assert.match(err, line);
  }
  assert.equal((await users.with('data', everybody)).length, 1_000);
  assert.deepEqual(users.list('data'), ['users.sqlite']);
  const back = await users.run('data', ['restore', '--force', users.path('live')]);
  assert.equal(back.code, 0, back.err);
});

test('a users file that is damaged is replaced with --force, and kept', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 10));
  await users.ok('data', ['backup', users.path('b')]);
  writeFileSync(users.path('data/users.sqlite'), 'no database');
  const refused = await users.run('data', ['restore', users.path('b')]);
  assert.match(
    refused.err,
    /cannot lock the users file .+: end all its servers, and replace it with --force\n$/,
  );
  await users.ok('data', ['restore', '--force', users.path('b')]);
  const [, before = '', ...others] = users.list('data');
  assert.equal(readFileSync(users.path('data', before), 'utf8'), 'no database');
  assert.deepEqual(others, []);
  assert.equal((await users.with('data', everybody)).length, 10);
});

test('after a kill there is nothing beside the users file of before; what belongs to a damaged one is named', async () => {
  using users = new UsersFolder();
  await users.with('other', async (store) => {
    await addUsers(store, 10);
    mkdirSync(users.path('data'));
    for (const end of ['', '-wal', '-shm']) {
      copyFileSync(users.path(`other/users.sqlite${end}`), users.path(`data/users.sqlite${end}`));
    }
  });
  await users.ok('other', ['backup', users.path('b')]);
  const { err } = await users.ok('data', ['restore', users.path('b')]);
  const [, before = ''] = /^The users file of before is (.+)$/m.exec(err) ?? [];
  assert.deepEqual(users.list('data'), ['users.sqlite', basename(before)]);
  await users.ok('third', ['restore', before]);
  assert.equal((await users.with('third', everybody)).length, 10, 'all of its log is in it');

  mkdirSync(users.path('damaged'));
  for (const end of ['', '-shm']) writeFileSync(users.path(`damaged/users.sqlite${end}`), 'no database');
  const damaged = await users.ok('damaged', ['restore', '--force', users.path('b')]);
  assert.match(damaged.err, /\nWhat SQLite had beside it is .+users\.sqlite\.before-restore-\w+-shm\n/);
  assert.equal(users.list('damaged').length, 3);
});

test('a log without its users file is kept, and not applied to the backup', async () => {
  using users = new UsersFolder();
  await users.with('other', async (store) => {
    await addUsers(store, 10);
    mkdirSync(users.path('data'));
    copyFileSync(users.path('other/users.sqlite-wal'), users.path('data/users.sqlite-wal'));
  });
  await users.with('third', (store) => addUsers(store, 3));
  await users.ok('third', ['backup', users.path('b')]);
  const { err } = await users.ok('data', ['restore', users.path('b')]);
  const [file, log = '', ...others] = users.list('data');
  assert.deepEqual([file, others], ['users.sqlite', []]);
  assert.ok(err.includes(`What SQLite had beside it is ${users.path('data', log)}\n`), err);
  assert.match(log, /^users\.sqlite\.before-restore-\d{8}T\d{6}Z-wal$/);
  assert.equal((await users.with('data', everybody)).length, 3);
});

test('a backup of schema 1 is restored as it is, and upgraded by its server', async () => {
  using users = new UsersFolder();
  const old = users.path('old');
  {
    using db = new DatabaseSync(old);
    db.exec(`
      CREATE TABLE users (user_id INTEGER PRIMARY KEY CHECK (user_id BETWEEN 1 AND 4294967295),
        username TEXT NOT NULL, username_key TEXT NOT NULL UNIQUE, email TEXT, email_key TEXT UNIQUE,
        password_hash TEXT, request_id TEXT UNIQUE, request_fingerprint TEXT, request_expires_at_ms INTEGER) STRICT;
      CREATE INDEX users_by_request_expiry ON users (request_expires_at_ms) WHERE request_expires_at_ms IS NOT NULL;
      INSERT INTO users (user_id, username, username_key) VALUES (7, 'Tom', 'tom');
      PRAGMA user_version = 1`);
  }
  await users.ok('data', ['restore', old]);
  assert.deepEqual(readFileSync(users.path('data/users.sqlite')), readFileSync(old));
  const [tom] = await users.with('data', everybody);
  assert.equal(tom?.username, 'Tom');
  await users.ok('data', ['backup', users.path('upgraded')]);
  await users.ok('again', ['restore', users.path('upgraded')]);
});

test('who has opened the users file before, and waits for it, does not get the old one', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 10));
  await users.ok('data', ['backup', users.path('b')]);
  const file = users.path('data/users.sqlite');
  // It opens the file, as a server does that starts, and looks into it only when it is told to.
  const waiting = spawn(
    process.execPath,
    [
      '-e',
      `const { DatabaseSync } = require('node:sqlite');
       const db = new DatabaseSync(${JSON.stringify(file)}, { timeout: 10_000 });
       console.log('open');
       process.stdin.once('data', () => {
         try { db.exec('PRAGMA journal_mode = WAL'); console.log('got it'); } catch (error) { console.log(error.message); }
         process.exit();
       });`,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const heard = async () => String((await once(waiting.stdout, 'data'))[0]).trim();
  assert.equal(await heard(), 'open');
  await users.ok('data', ['restore', users.path('b')]);
  waiting.stdin.write('\n');
  assert.equal(await heard(), 'file is not a database');
  assert.equal((await users.with('data', everybody)).length, 10);
});
