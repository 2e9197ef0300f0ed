// Proves that a backup which is taken while many sign up at a server has everybody who was acknowledged before it
// began, is whole, complete in itself and for its owner alone, and that a server serves them once it is restored; and
// that a file is never overwritten, or left half written where the disk is full.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { createUsersClient } from '../../../client/client.ts';
import { ServerProcess } from '../../support/process.ts';
import { smallDisk } from '../full-disk.ts';
import { addUsers, UsersFolder } from './users-folder.ts';

test('a backup under load has everybody, and is served once it is restored', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 20_000));
  const acknowledged: string[] = [];
  let before = 0;
  {
    await using server = new ServerProcess({ settings: users.settings('data') });
    using client = createUsersClient({ endpoint: await server.url() });
    let isLoaded = true;
    let number = 0;
    const caller = async () => {
      while (isLoaded) {
        const username = `late-${number++}`;
        await client.createUser({ username });
        acknowledged.push(username);
      }
    };
    const callers = Promise.all(Array.from({ length: 16 }, caller));
    while (acknowledged.length < 200) await new Promise(setImmediate);
    for (const name of ['first', 'second', 'third']) {
      before = acknowledged.length;
      await users.ok('data', ['backup', users.path(name)]);
    }
    isLoaded = false;
    await callers;
    assert.ok(acknowledged.length > before, 'the last backup was taken under load');
    await server.stop();
  }
  const backup = users.path('third');
  assert.equal(statSync(backup).mode & 0o777, 0o600);
  assert.deepEqual([...readFileSync(backup).subarray(18, 20)], [1, 1], 'it needs no log beside it');
  {
    using db = new DatabaseSync(backup, { readOnly: true });
    assert.deepEqual(db.prepare('PRAGMA integrity_check').all().map(Object.values), [['ok']]);
  }
  const { err } = await users.ok('restored', ['restore', backup]);
  assert.match(err, /^Restored \d+ users \(schema \d+\)\. Start the servers\.$/m);

  await using server = new ServerProcess({ settings: users.settings('restored') });
  using client = createUsersClient({ endpoint: await server.url() });
  const wanted = ['User-1', 'User-20000', ...acknowledged.slice(0, before)].map((username) => ({ username }));
  for await (const { result } of client.getUsers({ user: wanted })) {
    assert.equal(result.case, 'user', `${result.value?.username} was acknowledged before the backup began`);
  }
  await client.createUser({ username: 'next' });
  await server.stop();
});

test('a file that is there stays, but with --force; without users there is no backup', async () => {
  using users = new UsersFolder();
  const missing = await users.run('data', ['backup', users.path('b')]);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /there is no users file .+users\.sqlite: set USERS_DATA to its folder\n$/);
  assert.deepEqual(users.list(), [], 'nothing was made');

  writeFileSync(users.path('file'), '');
  const unreachable = await users.run('file', ['backup', users.path('b')]);
  assert.match(unreachable.err, /cannot read the users file .+users\.sqlite: ENOTDIR: not a directory\n$/);

  await users.with('data', (store) => addUsers(store, 3));
  writeFileSync(users.path('b'), 'mine');
  const refused = await users.run('data', ['backup', users.path('b')]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /b exists: name another file, or replace it with --force\n$/);
  assert.equal(readFileSync(users.path('b'), 'utf8'), 'mine');
  const { err } = await users.ok('data', ['backup', '--force', users.path('b')]);
  assert.match(err, /b holds 3 users \(schema \d+\), checked; and hashes of passwords: keep it safe\.\n$/);
});

test('on a full disk there is a line, and no file', async (t) => {
  const disk = smallDisk();
  if (disk === undefined) return t.skip('it needs the right to mount a file system');
  t.after(() => disk.remove());
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 20_000));
  for (const command of ['backup', 'export']) {
    const { code, err } = await users.run('data', [command, join(disk.folder, 'copy')]);
    assert.equal(code, 1, err);
    assert.match(
      err,
      /\n(cannot copy the users file .+: database or disk is full|cannot write .+copy: ENOSPC: .+)\n$/,
    );
    assert.deepEqual(readdirSync(disk.folder), []);
  }
  await users.ok('data', ['backup', users.path('b')]);
  const target = { env: { PATH: process.env.PATH, USERS_DATA: disk.folder } };
  const restore = () =>
    execFileSync(process.execPath, ['client/users.ts', 'restore', users.path('b')], {
      ...target,
      stdio: 'pipe',
    });
  assert.throws(restore, /ENOSPC/);
  assert.ok(!existsSync(join(disk.folder, 'users.sqlite')));
});
