// A statement of SQLite fails in the middle of one write, as for want of memory or for a page that can't be read, while
// others are committed with it: nothing of that write is kept, and all of the others. Triggers make it fail.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { firstEtag, StoreError } from '../../functions/users/store.ts';
import { openSqliteStore } from '../../functions/users/stores/sqlite.ts';

const signal = AbortSignal.timeout(60_000);
const expiresAtMs = Date.now() + 60_000;
const names = ['first', 'broken', 'last'];
const request = (id: string) => ({ id, fingerprint: 'f', expiresAtMs });

test('a write whose second statement fails is not made, and those beside it are', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-statement-'));
  const path = join(folder, 'users.sqlite');
  const store = openSqliteStore({ path });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  using other = new DatabaseSync(path, { timeout: 1000 });
  for (const [table, column] of [
    ['requests', 'request_id'],
    ['holds', 'key'],
  ])
    other.exec(`CREATE TRIGGER ${table}_fails BEFORE INSERT ON ${table} WHEN NEW.${column} LIKE '%broken%'
                BEGIN SELECT RAISE(ABORT, 'no memory'); END`);
  const outcomes = async (writes: Promise<unknown>[]) =>
    (await Promise.allSettled(writes)).map((it) =>
      it.status === 'rejected' && it.reason instanceof StoreError
        ? `${it.reason.message}; ${it.reason.retrySafe}`
        : it.status,
    );
  const told = (what: string) => ['fulfilled', `SQLite could not ${what}: no memory; true`, 'fulfilled'];
  const there = async () => {
    const accounts = await Promise.all(names.map((_, at) => store.account({ userId: at + 1 }, signal)));
    return accounts.map((it) => it && [it.username, it.email, it.etag].join());
  };

  const signUps = names.map((name, at) =>
    store.signUp({ username: name, userId: at + 1, request: request(`sign-up ${name}`) }, signal),
  );
  assert.deepEqual(await outcomes(signUps), told('store the user'));
  assert.deepEqual(await there(), ['first,,first', undefined, 'last,,first']);

  await store.signUp({ username: 'broken', userId: 2 }, signal);
  const users = names.map((username, at) => ({ username, userId: at + 1 }));
  const changes = users.map((from) =>
    store.change(
      {
        from: { ...from, etag: firstEtag },
        etag: 'next',
        email: `${from.username}@x.org`,
        request: request(`change ${from.username}`),
      },
      signal,
    ),
  );
  assert.deepEqual(await outcomes(changes), told('change the user'));
  assert.deepEqual(await there(), ['first,first@x.org,next', 'broken,,first', 'last,last@x.org,next']);

  const removals = users.map((from) =>
    store.remove(
      { from: { ...from, etag: from.userId === 2 ? firstEtag : 'next' }, heldUntilMs: expiresAtMs },
      signal,
    ),
  );
  assert.deepEqual(await outcomes(removals), told('remove the user'));
  assert.deepEqual(await there(), [undefined, 'broken,,first', undefined]);
});
