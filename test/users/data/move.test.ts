// Proves that an export which is imported elsewhere makes the same users, between SQLite and DynamoDB and back; that an
// import may be repeated; that it tells of each line that is refused, without a hash, and goes on; and that it holds
// neither the export nor the users in memory.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { exportUsers } from '../../../functions/users/data/export.ts';
import { accountLine, endLine, headLine } from '../../../functions/users/data/export-format.ts';
import { importUsers } from '../../../functions/users/data/import.ts';
import { type Account, StoreError, type UserStore } from '../../../functions/users/store.ts';
import { openDynamoStore } from '../../../functions/users/stores/dynamodb.ts';
import { memoryStore } from '../../../functions/users/stores/memory.ts';
import { fromHere, root } from '../../support/process.ts';
import { endpoint, withoutEndpoint } from '../stores/dynamodb-setting.ts';
import { testTable } from '../stores/dynamodb-table.ts';
import { addUsers, everybody, someHash, UsersFolder } from './users-folder.ts';

const signal = AbortSignal.timeout(300_000);

test('from a users file into another, twice, by files and by a pipe', async () => {
  using users = new UsersFolder();
  await users.with('one', (store) => addUsers(store, 3_000));
  const expected = await users.with('one', everybody);
  const exported = await users.ok('one', ['export', users.path('lines')]);
  assert.match(
    exported.err,
    /\nExported 3000 users, with the hashes of their passwords: keep the export safe\.\n$/,
  );
  assert.equal(exported.out, '');
  assert.equal(statSync(users.path('lines')).mode & 0o777, 0o600);
  const { out } = await users.ok('one', ['export']);
  assert.equal(out, readFileSync(users.path('lines'), 'utf8'));

  const first = await users.ok('two', ['import'], out);
  assert.match(
    first.err,
    /\nThere was no users file: a new one was made\.\nImported 3000 users; 0 were there just the same\.\n$/,
  );
  const second = await users.ok('two', ['import', users.path('lines')]);
  assert.match(second.err, /users\.sqlite\nImported 0 users; 3000 were there just the same\.\n$/);
  assert.deepEqual(await users.with('two', everybody), expected);
  const refused = await users.run('one', ['export', users.path('lines')]);
  assert.deepEqual([refused.code, /exists: name another file/.test(refused.err)], [1, true]);
});

test('what is refused has its line and reason; the rest is imported; no hash is shown', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 2));
  const tom: Account = { username: 'Tom', userId: 100, etag: 'first', passwordHash: someHash };
  const lines = [
    headLine,
    accountLine(tom),
    accountLine({ ...tom, username: 'user-1', userId: 101 }),
    accountLine({ ...tom, username: 'Ann', userId: 2 }),
    accountLine({ ...tom, username: 'Bob', userId: 102, email: 'ö2@EXÄMPLE.org' }),
    accountLine({ ...tom, etag: 'other' }),
    'x'.repeat(20_000),
    `{"username":"Eve","userId":103,"etag":"first","passwordHash":"${someHash.slice(0, -1)}"}`,
    '\u001b[31m{',
    endLine(9),
    headLine,
  ];
  const { code, err } = await users.run('data', ['import'], `${lines.join('\n')}\n`);
  assert.equal(code, 1);
  assert.deepEqual(err.split('\n').slice(1), [
    'line 3: user-1: another user has this name, or it is held for one who was removed',
    'line 4: Ann: another user has this id',
    'line 5: Bob: another user has this e-mail address, or it is held for one who was removed',
    'line 6: Tom: is there, and has changed since',
    'line 7: is longer than 16384 bytes',
    'line 8: has a passwordHash that this service can not check',
    'line 9: is no JSON',
    'line 11: comes after the end',
    'the export was made with 9 accounts, and has 8',
    'Imported 1 user; 0 were there just the same; refused 8 lines, see above; the export is not whole, see above.',
    '',
  ]);
});

test('who has changed since the export is told from another user', async () => {
  const store = memoryStore();
  const was = { username: 'Tom', userId: 1, createdAtMs: 5, etag: 'first' };
  await store.signUp({ ...was, username: 'Renamed', etag: 'other' }, signal);
  await store.signUp({ username: 'ANN', userId: 2, createdAtMs: 6 }, signal);
  await store.signUp({ username: 'Eve', userId: 3 }, signal);
  await store.signUp({ username: 'Bob', userId: 4, createdAtMs: 7 }, signal);
  const accounts: Account[] = [
    was,
    { username: 'ann', userId: 2, etag: 'first' },
    { username: 'Joe', userId: 3, etag: 'first' },
    { username: 'Bob', userId: 5, createdAtMs: 7, etag: 'first' },
  ];
  async function* from() {
    yield Buffer.from([headLine, ...accounts.map(accountLine), endLine(4)].join('\n'));
  }
  const told: string[] = [];
  await importUsers({ store, from: from(), say: (line) => void told.push(line), signal });
  assert.deepEqual(told, [
    'line 2: Tom: is there, and has changed since',
    'line 3: ann: is there, and has changed since',
    'line 4: Joe: another user has this id',
    'line 5: Bob: another user has this name, or it is held for one who was removed',
  ]);
});

test('refusals are told of in the order of their lines, whichever the store answers first', async () => {
  const inner = memoryStore();
  const answers: (() => void)[] = [];
  const backwards: UserStore = {
    ...inner,
    async signUp() {
      await new Promise<void>((answer) => {
        // The last one asked is the first to be answered.
        if (answers.unshift(answer) === 5) for (const one of answers) queueMicrotask(one);
      });
      return { outcome: 'user_id_taken' };
    },
  };
  const accounts = [1, 2, 3, 4, 5].map((n) => accountLine({ username: `u${n}`, userId: n, etag: 'e' }));
  const lines = [headLine, ...accounts.slice(0, 2), 'bad', ...accounts.slice(2), endLine(6)];
  async function* from() {
    yield Buffer.from(lines.join('\n'));
  }
  const told: string[] = [];
  const say = (line: string) => void told.push(line);
  const { refused } = await importUsers({ store: backwards, from: from(), say, signal });
  assert.equal(refused, 6);
  assert.deepEqual(
    told.map((it) => it.split(':')[0]),
    [2, 3, 4, 5, 6, 7].map((line) => `line ${line}`),
  );
});

test('an export that is not there, or is none, is told in a line, and makes no users file', async () => {
  using users = new UsersFolder();
  const cases: [string, RegExp][] = [
    ['missing', /\ncannot read the export .+missing: ENOENT: no such file or directory\n$/],
    ['.', /\ncannot read the export .+: it is a folder\n$/],
  ];
  for (const [name, line] of cases) {
    const { code, err } = await users.run('data', ['import', users.path(name)]);
    assert.deepEqual([code, line.test(err)], [1, true], err);
  }
  assert.deepEqual(users.list(), []);
  const { err } = await users.run('data', ['import', '--dry-run'], 'text\n');
  assert.equal(err, 'this is no export: its first line is no JSON\n');
});

test('an export needs a users file, and makes none', async () => {
  using users = new UsersFolder();
  const { code, out, err } = await users.run('mistyped', ['export']);
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /\nthere is no users file .+users\.sqlite: set USERS_DATA to its folder\n$/);
  assert.deepEqual(users.list(), []);
  await users.with('data', (store) => addUsers(store, 1));
  const nowhere = await users.run('data', ['export', users.path('no/lines')]);
  assert.match(nowhere.err, /\ncannot write .+no\/lines: ENOENT: no such file or directory\n$/);
});

test('a pipe, a device and /dev/stdout are written into, with --force too', async () => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, 300));
  const { out } = await users.ok('data', ['export']);
  execFileSync('mkfifo', [users.path('pipe')]);
  const reading = readFile(users.path('pipe'), 'utf8');
  await users.ok('data', ['export', '--force', users.path('pipe')]);
  assert.equal(await reading, out);
  assert.ok(statSync(users.path('pipe')).isFIFO());
  symlinkSync('/dev/null', users.path('null'));
  await users.ok('data', ['export', '--force', users.path('null')]);
  assert.equal(readlinkSync(users.path('null')), '/dev/null');

  // Where standard output is a file, the link /dev/stdout leads to it.
  const redirected = openSync(users.path('redirected'), 'w');
  const child = spawn(
    process.execPath,
    ['functions/users/data/main.ts', 'export', '--force', '/dev/stdout'],
    {
      cwd: root,
      env: { ...fromHere(), ...users.settings('data') },
      stdio: ['ignore', redirected, 'ignore'],
    },
  );
  closeSync(redirected);
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.equal(readFileSync(users.path('redirected'), 'utf8'), out);
});

test('--dry-run needs no store, and changes nothing', async () => {
  using users = new UsersFolder();
  const text = `${headLine}\n${accountLine({ username: 'Tom', userId: 1, etag: 'first' })}\n`;
  const cut = await users.run('data', ['import', '--dry-run'], text);
  assert.equal(cut.code, 1);
  assert.equal(
    cut.err,
    'the export was cut short: its last line, which counts, is missing\n' +
      'Checked the lines of 1 user, and asked no store whether it takes them; the export is not whole, see above.\n',
  );
  const whole = await users.ok('data', ['import', '--dry-run', '-'], `${text}${endLine(1)}`);
  assert.equal(whole.err, 'Checked the lines of 1 user, and asked no store whether it takes them.\n');
  assert.deepEqual(users.list(), []);
});

test('a store that has too much to do is asked again; one that fails ends the import', async () => {
  const inner = memoryStore();
  let calls = 0;
  const busy: UserStore = {
    ...inner,
    signUp(signUp, aborted) {
      if (calls++ % 2 === 0) {
        const overload = new StoreError('wait', { retrySafe: true, isOverload: true, retryAfterMs: 0 });
        return Promise.reject(overload);
      }
      return inner.signUp(signUp, aborted);
    },
  };
  const lines = Array.from({ length: 200 }, (_, i) =>
    accountLine({ username: `u${i}`, userId: i + 1, etag: 'e' }),
  );
  async function* from() {
    yield Buffer.from([headLine, ...lines, endLine(200)].join('\n'));
  }
  const say = (line: string) => assert.fail(line);
  const imported = await importUsers({ store: busy, from: from(), say, signal });
  assert.deepEqual(imported, { added: 200, present: 0, refused: 0, isWhole: true });

  const failing: UserStore = {
    ...inner,
    signUp: () => Promise.reject(new StoreError('the disk is gone', { retrySafe: false })),
  };
  await assert.rejects(importUsers({ store: failing, from: from(), say, signal }), /the disk is gone/);
});

test('60,000 users pass through in bounded memory', async () => {
  const count = 60_000;
  const account = { email: 'somebody@example.org', passwordHash: someHash, createdAtMs: 1, etag: 'first' };
  const inner = memoryStore();
  const endless: UserStore = {
    ...inner,
    async *all() {
      for (let at = 0; at < count; at += 500) {
        yield Array.from({ length: 500 }, (_, i) => ({
          ...account,
          username: `u${at + i}`,
          userId: at + i + 1,
        }));
      }
    },
    signUp: ({ username, userId }) => Promise.resolve({ outcome: 'created', user: { username, userId } }),
  };
  const say = (line: string) => assert.fail(line);
  const between = new PassThrough();
  const exporting = exportUsers({ store: endless, to: '-', stdout: between, force: false, say, signal }).then(
    (users) => {
      between.end();
      return users;
    },
  );
  let mostWaiting = 0;
  async function* watched() {
    for await (const chunk of between) {
      mostWaiting = Math.max(mostWaiting, between.readableLength + between.writableLength);
      yield chunk;
    }
  }
  const imported = await importUsers({ store: endless, from: watched(), say, signal });
  assert.equal(await exporting, count);
  assert.equal(imported.added, count);
  assert.ok(mostWaiting < 1_000_000, `${mostWaiting} bytes waited`);
});

if (endpoint === undefined) withoutEndpoint('between SQLite and DynamoDB');
else between(endpoint);

function between(endpoint: string): void {
  test('from a users file into a DynamoDB table, and back into another', async () => {
    using users = new UsersFolder();
    const table = await testTable(endpoint);
    try {
      const settings = { USERS_STORE: 'dynamodb', USERS_TABLE: table.name, DYNAMODB_ENDPOINT: endpoint };
      const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
      const env = { ...settings, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
      await users.with('one', (store) => addUsers(store, 300));
      await users.ok('one', ['export', users.path('first')]);
      const into = await users.runWith(env, ['import', users.path('first')]);
      assert.equal(into.code, 0, into.err);
      assert.match(
        into.err,
        /^Users: DynamoDB table .+\nImported 300 users; 0 were there just the same\.\n$/,
      );
      const again = await users.runWith(env, ['import', users.path('first')]);
      assert.match(again.err, /\nImported 0 users; 300 were there just the same\.\n$/);
      const out = await users.runWith(env, ['export', users.path('second')]);
      assert.equal(out.code, 0, out.err);
      await users.ok('two', ['import', users.path('second')]);
      assert.deepEqual(await users.with('two', everybody), await users.with('one', everybody));

      const upgraded = await users.runWith(env, ['upgrade']);
      assert.equal(upgraded.code, 0, upgraded.err);
      assert.match(upgraded.err, /\nEntered 0 names that were not listed\. .+\n$/);
      const store = await openDynamoStore({ table: table.name, endpoint });
      const { users: listed } = await store.list({ prefix: 'user-1', after: '', maxUsers: 500 }, signal);
      await store.close();
      assert.equal(listed.length, 111, 'those who were imported are listed');
    } finally {
      await table.remove();
    }
  });
}
