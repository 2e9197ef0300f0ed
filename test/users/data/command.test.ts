// Proves that `users` hands these commands to the program of the service: their help, their exit codes, what comes in
// and goes out, and signals; that both tell of bad settings as the server does; and that the client alone says where
// they are.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fromHere, root } from '../../support/process.ts';
import { addUsers, UsersFolder } from './users-folder.ts';

const names = ['backup', 'restore', 'export', 'import', 'upgrade'];

test('each has a help of its own, and refuses what it does not know', async () => {
  using users = new UsersFolder();
  for (const name of names) {
    const { out, err } = await users.ok('data', [name, '--help']);
    assert.match(out, new RegExp(`^Usage: users ${name}( |\\n)`));
    assert.equal(err, '');
  }
  const wrong: [string[], RegExp][] = [
    [['backup'], /^error: missing required argument 'file'\nTry --help\.\n$/],
    [['restore', ''], /^error: missing required argument 'file'\n/],
    [
      ['export', 'a', 'b'],
      /^error: too many arguments for 'export'\. Expected 1 argument but got 2: a, b\.\n/,
    ],
    [['upgrade', 'a'], /^error: too many arguments for 'upgrade'\. Expected 0 arguments but got 1: a\.\n/],
    [['import', '--force'], /^error: unknown option '--force'\nTry --help\.\n$/],
    [['backup', 'a', '--dry-run'], /^error: unknown option '--dry-run'\n/],
    [['backup', 'a', '--force=no'], /^error: unknown option '--force=no'\n/],
    [['export', '--nothing'], /^error: unknown option '--nothing'\n/],
    [['export', '-x'], /^error: unknown option '-x'\n/],
  ];
  for (const [args, line] of wrong) {
    const { code, err } = await users.run('data', args);
    assert.equal(code, 64, args.join(' '));
    assert.match(err, line);
  }
});

test('help and mistakes look as those of the other commands', async () => {
  using users = new UsersFolder();
  const headings = (text: string) => text.match(/^(Arguments|Options):$/gm);
  const ours = (await users.ok('data', ['backup', '--help'])).out;
  const theirs = (await users.ok('data', ['create', '--help'])).out;
  assert.deepEqual(headings(ours), headings(theirs));
  const helpRow = /^ {2}-h, --help +display help for command$/m;
  for (const help of [ours, theirs]) assert.match(help, helpRow);
  for (const args of [['--nothing'], ['a', 'b']]) {
    const [our, their] = await Promise.all(
      ['export', 'create'].map(async (name) => (await users.run('data', [name, ...args])).err),
    );
    assert.equal(our?.replaceAll('export', 'create'), their);
  }
});

test('settings are read as the server reads them', async () => {
  using users = new UsersFolder();
  const run = async (env: NodeJS.ProcessEnv, name: string) => {
    const { code, err } = await users.runWith({ USERS_DATA: users.path('data'), ...env }, [
      name,
      users.path('f'),
    ]);
    assert.equal(code, 1);
    return err;
  };
  assert.equal(
    await run({ USERS_STORE: 'files', SQLITE_BUSY_TIMEOUT_MS: 'x' }, 'backup'),
    'USERS_STORE must be one of sqlite, dynamodb, memory, not "files"\n' +
      'SQLITE_BUSY_TIMEOUT_MS must be a whole number from 0 to 2147483647, not "x"\n',
  );
  assert.match(
    await run({ USERS_STOER: 'sqlite' }, 'backup'),
    /^unknown setting USERS_STOER: did you mean USERS_STORE\?/,
  );
  assert.match(
    await run({ USERS_STORE: 'memory' }, 'export'),
    /^users in memory .+ are in their server alone/,
  );
  for (const name of ['backup', 'restore']) {
    assert.match(
      await run({ USERS_STORE: 'dynamodb', USERS_TABLE: 't' }, name),
      /^Users: DynamoDB table t\nusers (backup|restore) is for a users file .+ point-in-time recovery; users (ex|im)port works/,
    );
  }
  const { err } = await users.ok('data', ['upgrade']);
  assert.match(
    err,
    /^Users: .+users\.sqlite\nA users file is upgraded when a server opens it: there is nothing to do\.\n$/,
  );
});

test('a signal to `users` ends the program, which closes the users file', {
  timeout: 60_000,
}, async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 10));
  // Standard input stays open, so it waits.
  const child = spawn(process.execPath, [join(root, 'client/users.ts'), 'import'], {
    env: { ...fromHere(), ...users.settings('data') },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await once(child.stderr, 'data'); // it has said which users
  child.kill('SIGINT');
  const [code, signal] = await once(child, 'close');
  assert.deepEqual([code, signal], [null, 'SIGINT']);
  assert.deepEqual(
    readdirSync(users.path('data')).filter((it) => it.endsWith('-wal')),
    [],
  );
});

test('where the service is not installed, `users` says so', async () => {
  using users = new UsersFolder();
  for (const part of ['client', 'proto', 'package.json']) {
    cpSync(join(root, part), users.path('packed', part), { recursive: true });
  }
  mkdirSync(users.path('packed'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), users.path('packed/node_modules'));
  const child = spawn(process.execPath, [users.path('packed/client/users.ts'), 'backup', 'b'], {
    env: fromHere(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  assert.equal(err, 'users backup is part of the service: run it where the service is installed\n');
  assert.equal(code, 1);
});
