// Each command is killed with SIGKILL at random moments, 3 times or CRASH_ROUNDS times. A backup or an export is then
// absent or whole; the users file is the old one or the restored one, whole; and an import that is repeated ends with
// everybody exactly once.
import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { addUsers, everybody, UsersFolder } from './users-folder.ts';

const rounds = Number(process.env.CRASH_ROUNDS ?? 3);
const many = 2_000;

/** Runs it twice to its end, for the time that it takes, and then kills it again and again. */
async function killed(
  users: UsersFolder,
  folder: string,
  args: readonly string[],
  { before, after }: { before: () => void; after: () => void | Promise<void> },
): Promise<void> {
  let wholeMs = 0;
  for (const _ of ['cold', 'warm']) {
    before();
    const startedAtMs = performance.now();
    assert.deepEqual(await users.start(folder, args).ended, { code: 0, signal: null });
    wholeMs = performance.now() - startedAtMs;
    await after();
  }
  for (let round = 1; round <= rounds; round++) {
    before();
    const { child, ended } = users.start(folder, args);
    await delay(wholeMs * Math.random());
    child.kill('SIGKILL');
    if ((await ended).signal !== null) met += 1;
    await after();
  }
}

let met = 0;

function usersIn(file: string): unknown {
  using db = new DatabaseSync(file);
  assert.deepEqual(db.prepare('PRAGMA integrity_check').all().map(Object.values), [['ok']]);
  return db.prepare('SELECT count(*) AS n FROM users').get()?.n;
}

test('SIGKILL', async (t) => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, many));
  const copy = users.path('copy');
  const lines = users.path('lines');

  await t.test('of a backup', async () => {
    await killed(users, 'data', ['backup', copy], {
      before: () => rmSync(copy, { force: true }),
      after() {
        if (existsSync(copy)) assert.equal(usersIn(copy), many);
        assert.equal(usersIn(users.path('data/users.sqlite')), many);
      },
    });
  });

  await t.test('of an export', async () => {
    await killed(users, 'data', ['export', lines], {
      before: () => rmSync(lines, { force: true }),
      after() {
        if (existsSync(lines)) assert.equal(readFileSync(lines, 'utf8').split('\n').length, many + 3);
      },
    });
  });

  rmSync(copy, { force: true });
  rmSync(lines, { force: true });
  await users.ok('data', ['backup', copy]);
  await users.ok('data', ['export', lines]);
  await users.with('small', (store) => addUsers(store, 10));

  await t.test('of a restore', async () => {
    await killed(users, 'target', ['restore', copy], {
      before() {
        rmSync(users.path('target'), { recursive: true, force: true });
        cpSync(users.path('small'), users.path('target'), { recursive: true });
      },
      after() {
        const now = usersIn(users.path('target/users.sqlite'));
        assert.ok(now === 10 || now === many, `${now} users`);
        const before = users.list('target').find((it) => it.includes('before-restore'));
        assert.ok(now === 10 || before !== undefined, 'those of before are kept');
        if (before !== undefined) assert.equal(usersIn(users.path('target', before)), 10);
      },
    });
  });

  await t.test('of an import, which is repeated', async () => {
    const expected = await users.with('data', everybody);
    await killed(users, 'imported', ['import', lines], {
      before: () => rmSync(users.path('imported'), { recursive: true, force: true }),
      async after() {
        const { err } = await users.ok('imported', ['import', lines]);
        const [, added, present] =
          /Imported (\d+) users?; (\d+) were there just the same\.\n$/.exec(err) ?? [];
        assert.equal(Number(added) + Number(present), many);
        assert.deepEqual(await users.with('imported', everybody), expected);
      },
    });
  });
  assert.ok(met > 0, 'kills met commands that ran');
  t.diagnostic(`${met} of ${4 * rounds} kills met a command that ran`);
});
