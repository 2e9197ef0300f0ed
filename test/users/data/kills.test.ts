// Each command is killed with SIGKILL at random moments, 6 times or CRASH_ROUNDS times. A backup or an export is then
// absent or whole; the users file is the old one or the restored one, whole; and an import that is repeated ends with
// everybody exactly once.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { addUsers, everybody, UsersFolder } from './users-folder.ts';

const rounds = Number(process.env.CRASH_ROUNDS ?? 6);
const many = 5_000;

/** Runs it once to its end, for the time it takes, and then kills it again and again; returns how often it met it. */
async function killed(
  users: UsersFolder,
  folder: string,
  args: readonly string[],
  { before, after }: { before: () => void; after: () => void | Promise<void> },
): Promise<number> {
  before();
  const startedAtMs = performance.now();
  await users.ok(folder, args);
  const wholeMs = performance.now() - startedAtMs;
  await after();
  let met = 0;
  for (let round = 1; round <= rounds; round++) {
    before();
    const child = users.start(folder, args);
    child.stdout.resume();
    child.stderr.resume();
    // `users` is the parent of the program that does the work: a kill of the group would reach other tests.
    await delay(wholeMs * (0.4 + 0.6 * Math.random()));
    const worker = workerOf(child.pid);
    if (worker !== undefined) {
      met += 1;
      process.kill(worker, 'SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    await after();
  }
  return met;
}

/** The process that another has started, if it has one. */
function workerOf(pid: number | undefined): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return first ? Number(first) : undefined;
  } catch {
    return undefined;
  }
}

function usersIn(file: string): unknown {
  using db = new DatabaseSync(file);
  assert.deepEqual(db.prepare('PRAGMA integrity_check').all().map(Object.values), [['ok']]);
  return db.prepare('SELECT count(*) AS n FROM users').get()?.n;
}

test('SIGKILL', { skip: process.platform !== 'linux' && 'it finds processes by /proc' }, async (t) => {
  using users = new UsersFolder();
  await users.with('data', (store) => addUsers(store, many));
  const copy = users.path('copy');
  const lines = users.path('lines');
  const meets: number[] = [];

  await t.test('of a backup', async () => {
    meets.push(
      await killed(users, 'data', ['backup', copy], {
        before: () => rmSync(copy, { force: true }),
        after() {
          if (existsSync(copy)) assert.equal(usersIn(copy), many);
          assert.equal(usersIn(users.path('data/users.sqlite')), many);
        },
      }),
    );
  });

  await t.test('of an export', async () => {
    meets.push(
      await killed(users, 'data', ['export', lines], {
        before: () => rmSync(lines, { force: true }),
        after() {
          if (existsSync(lines)) assert.equal(readFileSync(lines, 'utf8').split('\n').length, many + 3);
        },
      }),
    );
  });

  rmSync(copy, { force: true });
  rmSync(lines, { force: true });
  await users.ok('data', ['backup', copy]);
  await users.ok('data', ['export', lines]);
  await users.with('small', (store) => addUsers(store, 10));

  await t.test('of a restore', async () => {
    meets.push(
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
      }),
    );
  });

  await t.test('of an import, which is repeated', async () => {
    const expected = await users.with('data', everybody);
    meets.push(
      await killed(users, 'imported', ['import', lines], {
        before: () => rmSync(users.path('imported'), { recursive: true, force: true }),
        async after() {
          const { err } = await users.ok('imported', ['import', lines]);
          const [, added, present] =
            /Imported (\d+) users?; (\d+) were there just the same\.\n$/.exec(err) ?? [];
          assert.equal(Number(added) + Number(present), many);
          assert.deepEqual(await users.with('imported', everybody), expected);
        },
      }),
    );
  });
  assert.ok(
    meets.some((it) => it > 0),
    'kills met commands that ran',
  );
  t.diagnostic(`kills that met a backup, export, restore, import: ${meets.join(', ')} of ${rounds} each`);
});
