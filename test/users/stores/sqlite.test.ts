// The SQLite store keeps the contract of every store; its file is durable, private and closed when the store is;
// one bad sign-up spoils nothing; a file that can't be used, or is gone, is named in one line.
import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { limits } from '../../../functions/limits.ts';
import { firstEtag, StoreError, type Wanted } from '../../../functions/users/store.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { openSqliteFile } from '../../../functions/users/stores/sqlite-file.ts';
import { sqliteReads } from '../../../functions/users/stores/sqlite-reads.ts';
import { storeContract } from './contract.ts';
import { byId, byName, unbounded } from './contract-setting.ts';
import { inFolder, newFolder } from './sqlite-folder.ts';

storeContract({
  name: 'SQLite',
  fixture: () => {
    const folder = newFolder();
    const path = join(folder, 'data', 'users.sqlite');
    return {
      open: (now) => openSqliteStore({ path, now }),
      remove: () => rmSync(folder, { recursive: true }),
    };
  },
  shared: true,
  usersToRead: 10_000,
});

function read(path: string, sql: string): Record<string, unknown>[] {
  using db = new DatabaseSync(path, { readOnly: true });
  return db.prepare(sql).all();
}

test('SQLite store: a commit is synced to the disk before it is acknowledged', () =>
  inFolder((_, path) => {
    using db = openSqliteFile(path);
    assert.equal(db.prepare('PRAGMA journal_mode').get()?.journal_mode, 'wal');
    assert.equal(db.prepare('PRAGMA synchronous').get()?.synchronous, 2, 'FULL');
    assert.equal(db.prepare('PRAGMA busy_timeout').get()?.timeout, 0, 'waiting would block');
    assert.equal(db.prepare('PRAGMA user_version').get()?.user_version, 2);
    assert.equal(db.prepare('PRAGMA secure_delete').get()?.secure_delete, 1, 'what is deleted is gone');
  }));

test('SQLite store: what is stored, in a file that others may not read', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'new', 'deep', 'users.sqlite');
    const store = openSqliteStore({ path });
    const request = { id: 'r', fingerprint: 'f', expiresAtMs: Date.now() + 60_000 };
    const ann = {
      username: 'Ann',
      userId: 7,
      email: 'Ann@x.org',
      passwordHash: '$argon2id$',
      createdAtMs: 5,
    };
    await store.signUp({ ...ann, request }, unbounded);
    const modes = readdirSync(join(folder, 'new', 'deep')).map((file) => [
      file,
      statSync(join(folder, 'new', 'deep', file)).mode & 0o77,
    ]);
    await store.close();
    assert.deepEqual(modes, [
      ['users.sqlite', 0],
      ['users.sqlite-shm', 0],
      ['users.sqlite-wal', 0],
    ]);
    assert.equal(statSync(join(folder, 'new')).mode & 0o77, 0);
    assert.deepEqual(
      { ...read(path, 'SELECT * FROM users')[0] },
      {
        user_id: 7,
        username: 'Ann',
        username_key: 'ann',
        email: 'Ann@x.org',
        email_key: 'ann@x.org',
        password_hash: '$argon2id$',
        created_at_ms: 5,
        etag: null,
      },
    );
    assert.deepEqual(
      { ...read(path, 'SELECT * FROM requests')[0] },
      { request_id: 'r', fingerprint: 'f', user_id: 7, expires_at_ms: request.expiresAtMs },
    );
    assert.deepEqual(read(path, 'SELECT * FROM holds'), []);
  }));

test('SQLite store: a name of digits is no id, and an id no name', () =>
  inFolder(async (_, path) => {
    const store = openSqliteStore({ path });
    const seven = { username: '7', userId: 70 };
    await store.signUp(seven, unbounded);
    await store.signUp({ username: 'ann', userId: 8 }, unbounded);
    const asked = [byName('7'), byId(7), byName('8'), byId(70), byName('null'), byId(0)];
    const found = await store.find(asked, unbounded);
    assert.deepEqual(found, [seven, undefined, undefined, seven, undefined, undefined]);
    await store.close();
  }));

for (const [what, users] of [
  ['100 reads of 100 users', 100],
  ['a read of 10,000 users', 10_000],
] as const) {
  test(`SQLite store: ${what} at once leave turns of the event loop to others`, () =>
    inFolder(async (_, path) => {
      const store = openSqliteStore({ path });
      await store.signUp({ username: 'ann', userId: 1 }, unbounded);
      let turns = 0;
      let isOver = false;
      const count = () => {
        turns += 1;
        if (!isOver) setImmediate(count);
      };
      const wanted = Array.from({ length: users }, (_, place) => byId(place % 2));
      const expected = wanted.map(({ userId }) => (userId === 1 ? { username: 'ann', userId } : undefined));
      setImmediate(count);
      const answeredIn: number[] = [];
      const served: number[] = [];
      const reads = Array.from({ length: 10_000 / users }, async (_, place) => {
        assert.deepEqual(await store.find(wanted, unbounded), expected);
        answeredIn.push(turns);
        served.push(place);
      });
      await Promise.all(reads);
      isOver = true;
      assert.ok(turns >= 9, `others had ${turns} turns`);
      const inOneTurn = Object.values(Object.groupBy(answeredIn, String)).map((reads = []) => reads.length);
      assert.ok(Math.max(...inOneTurn) * users <= Math.max(500, users), `reads in each turn: ${inOneTurn}`);
      assert.deepEqual(served, [...served.keys()], 'first come, first served');
      await store.close();
    }));
}

test('SQLite store: who asks for few users waits for nobody, so that what is too much is seen', () =>
  inFolder(async (_, path) => {
    const store = openSqliteStore({ path });
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    const many = store.find(new Array(10_000).fill(byId(1)), unbounded);
    const few = [1, 10, 99].map((users) => new Array<Wanted>(users).fill(byId(1)));
    setImmediate(count);
    await Promise.all(Array.from({ length: 50 }, () => few.map((it) => store.find(it, unbounded))).flat());
    const taken = turns;
    isOver = true;
    await many;
    assert.ok(taken <= 1, `they took ${taken} turns`);
    await store.close();
  }));

test('SQLite store: a probe writes to the file, and leaves nothing in it', () =>
  inFolder(async (_, path) => {
    const store = openSqliteStore({ path });
    const before = statSync(`${path}-wal`).size;
    await store.probe(unbounded);
    assert.ok(statSync(`${path}-wal`).size > before);
    assert.deepEqual(read(path, 'SELECT * FROM users'), []);
    await store.close();
  }));

test('SQLite store: sign-ups that wait together are committed together, up to the limit', () =>
  inFolder(async (_, path) => {
    const few = { ...limits, maxGroupedCommits: 10, maxQueuedSignUps: 50 };
    const store = openSqliteStore({ path, limits: few });
    using other = new DatabaseSync(path, { readOnly: true });
    const commits = () => other.prepare('PRAGMA data_version').get()?.data_version;
    const seen = new Set([commits()]);
    const calls = Array.from({ length: 51 }, (_, i) =>
      store.signUp({ username: `u${i}`, userId: i + 1 }, unbounded),
    );
    const last = calls.pop();
    await assert.rejects(
      last ?? Promise.resolve(),
      (error) => error instanceof StoreError && error.retrySafe,
    );
    assert.equal(seen.size, 1, 'nothing is committed yet');
    for (const call of calls) {
      await call;
      seen.add(commits());
    }
    assert.equal(seen.size, 1 + 5);
    await store.close();
  }));

test('SQLite store: a sign-up that fails does not spoil those committed with it', () =>
  inFolder(async (_, path) => {
    const store = openSqliteStore({ path });
    const ids = [1, 2, 2 ** 32, 3, 0, 4];
    const results = await Promise.allSettled(
      ids.map((userId) => store.signUp({ username: `u${userId}`, userId }, unbounded)),
    );
    for (const [i, result] of results.entries()) {
      const valid = i !== 2 && i !== 4;
      assert.equal(result.status, valid ? 'fulfilled' : 'rejected');
      if (result.status === 'rejected')
        assert.ok(result.reason instanceof StoreError && !result.reason.retrySafe);
    }
    await store.close();
    assert.deepEqual(
      read(path, 'SELECT user_id FROM users').map(({ user_id }) => user_id),
      [1, 2, 3, 4],
    );
  }));

test('SQLite store: a transaction that fails is undone as a whole, and the next one succeeds', () =>
  inFolder(async (_, path) => {
    let nowMs = Date.now();
    const store = openSqliteStore({ path, now: () => nowMs });
    const request = { id: 'r', fingerprint: 'f', expiresAtMs: nowMs + 1000 };
    await store.signUp({ username: 'u1', userId: 1, request }, unbounded);
    nowMs += 1000;
    using other = new DatabaseSync(path);
    other.exec(`CREATE TRIGGER broken BEFORE DELETE ON requests BEGIN SELECT RAISE(ABORT, 'broken'); END`);
    const from = { username: 'u1', userId: 1, etag: firstEtag };
    const both = () =>
      Promise.allSettled([
        store.signUp({ username: 'u2', userId: 2 }, unbounded),
        store.change({ from, etag: 'next', username: 'renamed' }, unbounded),
      ]);
    for (const call of await both()) {
      assert.ok(call.status === 'rejected' && call.reason instanceof StoreError);
      assert.match(call.reason.message, /broken/);
    }
    const names = () => read(path, 'SELECT username FROM users ORDER BY user_id').map((row) => row.username);
    assert.deepEqual(names(), ['u1']);
    other.exec('DROP TRIGGER broken');
    for (const call of await both()) assert.equal(call.status, 'fulfilled');
    assert.deepEqual(names(), ['renamed', 'u2']);
    await store.close();
  }));

function replace(folder: string): void {
  cpSync(folder, `${folder}-copy`, { recursive: true });
  rmSync(folder, { recursive: true });
  renameSync(`${folder}-copy`, folder);
}

for (const [event, happen] of [
  ['removed', (folder: string) => rmSync(folder, { recursive: true })],
  ['replaced', replace],
] as const) {
  test(`SQLite store: its file ${event}, it takes nobody in, as that would be lost`, () =>
    inFolder(async (folder) => {
      const path = join(folder, 'data', 'users.sqlite');
      const store = openSqliteStore({ path });
      await store.signUp({ username: 'ann', userId: 1 }, unbounded);
      happen(join(folder, 'data'));
      const request = { id: 'r', fingerprint: 'f', expiresAtMs: Date.now() + 60_000 };
      await assert.rejects(store.signUp({ username: 'bob', userId: 2, request }, unbounded), (error) => {
        assert.ok(error instanceof StoreError && !error.retrySafe);
        assert.match(error.message, /^the users file .*users\.sqlite was removed or replaced: .*$/);
        return true;
      });
      await store.close();
    }));
}

test('SQLite store: expired request ids and holds are forgotten, a bounded number at a commit', () =>
  inFolder(async (_, path) => {
    let nowMs = Date.now();
    const store = openSqliteStore({ path, now: () => nowMs });
    const signUp = (i: number) => {
      const request = { id: `r${i}`, fingerprint: '', expiresAtMs: nowMs + 1000 };
      return store.signUp({ username: `u${i}`, userId: i, request }, unbounded);
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => signUp(i + 1)));
    nowMs += 1000;
    const remembered = () => read(path, 'SELECT count(*) AS n FROM requests')[0]?.n;
    assert.equal(remembered(), 20);
    await signUp(21);
    assert.equal(remembered(), 20 + 1 - 2);
    for (let i = 22; i <= 60; i++) await signUp(i);
    assert.equal(remembered(), 40);
    const held = () => read(path, 'SELECT count(*) AS n FROM holds')[0]?.n;
    const remove = (i: number) => {
      const from = { username: `u${i}`, userId: i, etag: firstEtag };
      return store.remove({ from, heldUntilMs: nowMs + 1000 }, unbounded);
    };
    for (let i = 1; i <= 20; i++) await remove(i);
    assert.equal(held(), 20);
    nowMs += 1000;
    await remove(21);
    assert.equal(held(), 20 + 1 - 2);
    for (let i = 22; i <= 60; i++) await remove(i);
    assert.equal(held(), 40);
    await store.close();
  }));

test('SQLite store: a page is one range of an index, and a copy begins where it left off', () =>
  inFolder((_, path) => {
    using db = openSqliteFile(path);
    const prepare = test.mock.method(db, 'prepare');
    sqliteReads(db);
    const plans = prepare.mock.calls.map(({ arguments: [sql] }) => {
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      return plan.map(({ detail }) => String(detail));
    });
    prepare.mock.restore();
    assert.ok(
      plans.flat().some((detail) => /username_key>\? AND username_key<\?/.test(detail)),
      'a range',
    );
    for (const detail of plans.flat())
      assert.doesNotMatch(detail, /SCAN (?!CONSTANT|wanted VIRTUAL)|TEMP B-TREE/);
  }));

test('SQLite store: of a user who was removed and not held, no file has a trace', () =>
  inFolder(async (folder, path) => {
    const store = openSqliteStore({ path });
    const ann = {
      username: 'Ann-of-the-trace',
      email: 'ann-of-the@trace.example',
      passwordHash: '$argon2id$trace',
    };
    const request = { id: 'r', fingerprint: 'f', expiresAtMs: Date.now() + 60_000 };
    for (let userId = 1; userId <= 200; userId++)
      await store.signUp({ username: `u${userId}`, userId }, unbounded);
    await store.signUp({ ...ann, userId: 1000, request }, unbounded);
    const hasTrace = () =>
      readdirSync(folder).some((name) => /of-the|trace/i.test(readFileSync(join(folder, name), 'latin1')));
    assert.ok(hasTrace());
    const from = { ...ann, userId: 1000, etag: firstEtag };
    assert.ok(await store.remove({ from, heldUntilMs: 0 }, unbounded));
    await store.close();
    assert.ok(!hasTrace());
  }));

test('SQLite store: closed, it holds no file open', () =>
  inFolder(async (folder, path) => {
    const open = () =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
        } catch {
          return false; // the descriptor that read the folder
        }
      }).length;
    const store = openSqliteStore({ path });
    await store.signUp({ username: 'ann', userId: 1 }, unbounded);
    assert.ok(open() > 0);
    await store.close();
    assert.equal(open(), 0);
    writeFileSync(path, 'x'.repeat(5000));
    assert.throws(() => openSqliteStore({ path }));
    assert.equal(open(), 0, 'nor after it could not be opened');
  }));

test('SQLite store: a file that can not be used is named in one line', () =>
  inFolder((folder, path) => {
    const isLine = (pattern: RegExp) => (error: unknown) =>
      error instanceof StoreError && !/\n/.test(error.message) && pattern.test(error.message);
    writeFileSync(path, 'this is not a database'.repeat(100));
    assert.throws(
      () => openSqliteStore({ path }),
      isLine(/users file .*users\.sqlite: file is not a database/),
    );
    assert.throws(() => openSqliteStore({ path: join(path, 'users.sqlite') }), isLine(/: (ENOTDIR|EEXIST)/));
    mkdirSync(join(folder, 'folder'));
    assert.throws(() => openSqliteStore({ path: join(folder, 'folder') }), isLine(/: EISDIR/));
    const newer = join(folder, 'newer.sqlite');
    {
      using db = new DatabaseSync(newer);
      db.exec('PRAGMA user_version = 9');
    }
    assert.throws(
      () => openSqliteStore({ path: newer }),
      isLine(/a newer release has made it: its schema is 9, and this release knows 2 and older$/),
    );
    assert.equal(read(newer, 'PRAGMA journal_mode')[0]?.journal_mode, 'delete', 'it is left as it was');
  }));
