// A users file that others have changed acknowledges nothing that is not stored, and what can't be a users file is
// named in one line when it is opened, and let go.
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { StoreError } from '../../../functions/users/store.ts';
import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';
import { everybody, kept, requestKey, signedUp, unbounded } from './contract-setting.ts';
import { inFolder } from './sqlite-folder.ts';

const ann = { username: 'ann', userId: 1, email: 'ann@x.org' };
const bob = { username: 'bob', userId: 2 };

for (const [what, table] of [
  ['INSERT', 'users'],
  ['UPDATE', 'users'],
  ['DELETE', 'users'],
  ['INSERT', 'requests'],
  ['INSERT', 'holds'],
] as const) {
  test(`a trigger that ignores ${what} on ${table}: nothing of it is acknowledged, or stored`, () =>
    inFolder(async (_, path) => {
      const store = openSqliteStore({ path });
      const from = await signedUp(store, ann);
      using other = new DatabaseSync(path);
      other.exec(`CREATE TRIGGER tr BEFORE ${what} ON ${table} BEGIN SELECT RAISE(IGNORE); END`);
      const request = requestKey(1);
      const calls = {
        INSERT: () => store.signUp({ ...bob, request }, unbounded),
        UPDATE: () => store.change({ from, etag: '1', username: 'eve' }, unbounded),
        DELETE: () => store.remove({ from, heldUntilMs: Date.now() + 60_000 }, unbounded),
      };
      const call = table === 'holds' ? calls.DELETE : calls[what];
      await assert.rejects(call(), (error) => {
        assert.ok(error instanceof StoreError && !error.retrySafe);
        assert.match(error.message, /^the users file has not taken .* triggers of others\?$/);
        return true;
      });
      if (what === 'INSERT' && table === 'users') await assert.rejects(store.probe(unbounded), StoreError);
      assert.deepEqual(await everybody(store), [from]);
      other.exec('DROP TRIGGER tr');
      const [made] = await Promise.all([calls.INSERT(), calls.UPDATE()]);
      assert.equal(made.outcome, 'created');
      assert.equal((await kept(store, { userId: 1 })).username, 'eve');
      await store.close();
    }));
}

for (const [what, sql] of [
  ['a table of other columns', 'CREATE TABLE users (user_id, username, username_key, password_hash)'],
  [
    'views',
    `CREATE VIEW users AS SELECT 1 user_id, 'a' username, 'a' username_key, NULL email, NULL email_key,
       NULL password_hash, NULL created_at_ms, NULL etag;
     CREATE VIEW requests AS SELECT 'r' request_id, 'f' fingerprint, 1 user_id, 0 expires_at_ms;
     CREATE VIEW holds AS SELECT 'name' kind, 'a' key, 0 held_until_ms`,
  ],
] as const) {
  test(`${what} instead of users: one line says so when the file is opened, and it is let go`, () =>
    inFolder((folder, path) => {
      {
        using db = new DatabaseSync(path);
        db.exec(`${sql}; PRAGMA user_version = 2`);
      }
      assert.throws(() => openSqliteStore({ path }), {
        name: 'StoreError',
        message:
          /^cannot open the users file [^\n]*: it has not what its version says [^\n]*: restore a backup$/,
      });
      const open = readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)];
        } catch {
          return []; // the descriptor that read the folder
        }
      });
      assert.deepEqual(
        open.filter((file) => file.startsWith(folder)),
        [],
      );
    }));
}
