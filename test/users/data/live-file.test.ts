// Proves that no command destroys the users file, by whatever name, link or flag, nor what SQLite keeps beside it, nor
// what is no file; that it can serve on; and that what root makes belongs to the server's account.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { createUsersClient } from '../../../client/client.ts';
import { accountLine, endLine, headLine } from '../../../functions/users/data/export-format.ts';
import { ServerProcess } from '../../support/process.ts';
import { addUsers, everybody, UsersFolder } from './users-folder.ts';

test('backup, export and restore do not touch the users file of a server, whatever it is called', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 10));
  const file = users.path('data/users.sqlite');
  symlinkSync(users.path('data'), users.path('linked'));
  symlinkSync(file, users.path('link'));
  linkSync(file, users.path('hard'));
  const paths = ['data/users.sqlite', 'data/../data/users.sqlite', 'linked/users.sqlite', 'link', 'hard'];
  const beside = ['-wal', '-shm', '-journal'].map((end) => `linked/users.sqlite${end}`);
  await using server = new ServerProcess({ settings: users.settings('data') });
  using client = createUsersClient({ endpoint: await server.url() });
  const { ino } = statSync(file);
  for (const command of ['backup', 'export', 'restore']) {
    for (const path of [...paths, ...beside]) {
      const { code, err } = await users.run('data', [command, '--force', users.path(path)]);
      const line = beside.includes(path) ? 'belongs to the users file .+' : 'is the users file itself';
      assert.equal(code, 1, `${command} ${path}\n${err}`);
      assert.match(err, new RegExp(`\\n.+ ${line}: name another file\\n$`), `${command} ${path}`);
    }
  }
  assert.equal(statSync(file).ino, ino);
  await client.createUser({ username: 'next' });
  await server.stop();
  assert.equal((await users.with('data', everybody)).length, 11);
});

test('--force replaces no users file of another server, and nothing but files', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 3));
  await using server = new ServerProcess({ settings: users.settings('other') });
  await server.url();
  mkdirSync(users.path('folder'));
  execFileSync('mkfifo', [users.path('fifo')]);
  symlinkSync(users.path('text'), users.path('link'));
  const before = readFileSync(users.path('other/users.sqlite'));
  for (const command of ['backup', 'export']) {
    const refusal = async (name: string) => {
      const { code, err } = await users.run('data', [command, '--force', users.path(name)]);
      assert.equal(code, 1, err);
      return err;
    };
    assert.match(
      await refusal('other/users.sqlite'),
      /is the users file of a server, or was copied from one/,
    );
    for (const name of ['folder', 'link', ...(command === 'backup' ? ['fifo'] : [])]) {
      assert.match(await refusal(name), /\n.+ is no file that can be replaced: name another\n$/);
    }
    writeFileSync(users.path('text'), 'of before');
    await users.ok('data', [command, '--force', users.path('text')]);
    await users.ok('data', [command, '--force', users.path('text')]);
  }
  assert.ok(readFileSync(users.path('other/users.sqlite')).equals(before));
  assert.ok(statSync(users.path('fifo')).isFIFO());
  await server.stop();
});

test('what root imports belongs to the account of the folder', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('it needs root');
  using users = new UsersFolder();
  mkdirSync(users.path('data'));
  const [uid, gid] = [12_345, 12_346];
  chownSync(users.path('data'), uid, gid);
  const lines = `${headLine}\n${accountLine({ username: 'Tom', userId: 1, etag: 'first' })}\n${endLine(1)}\n`;
  for (const name of ['data', 'data/deeper']) {
    await users.ok(name, ['import'], lines);
    for (const path of [users.path(name), users.path(name, 'users.sqlite')]) {
      const made = statSync(path);
      assert.deepEqual([made.uid, made.gid], [uid, gid], path);
    }
    assert.equal(statSync(users.path(name, 'users.sqlite')).mode & 0o777, 0o600);
  }
  await users.ok('data', ['backup', users.path('b')]);
  await users.ok('data/restored', ['restore', users.path('b')]);
  assert.equal(statSync(users.path('data/restored/users.sqlite')).uid, uid);
});
