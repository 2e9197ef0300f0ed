// The server process, with users in SQLite, is killed with SIGKILL at random moments while many sign up, again and
// again on the same file: 8 times, or CRASH_ROUNDS times (`npm run test:faults`: 200). Every acknowledged user is
// there afterwards, none is half-written, and repeating the unacknowledged sign-ups with their request ids ends
// with each exactly once.
//
// What this proves, and what not: SIGKILL ends the process between any two instructions, so nothing that it
// still held, queued or had only promised survives, and the log is recovered at each start. The kernel keeps what
// was written, synced or not, so a missing sync would not show here as it would after a power cut. That the
// file is synced at each commit (journal_mode=WAL, synchronous=FULL) is read from the open database by
// test/users/stores/sqlite.test.ts; that a disk keeps what it was told to sync is for the disk to keep.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Users } from '../../proto/gen/users_pb.js';
import { ServerProcess } from '../support/process.ts';

const rounds = Number(process.env.CRASH_ROUNDS ?? 8);
const callers = 32;
const mostPerRound = 120;

/** What a kill interrupts has a password more often than not: all of that may wait at once when a server begins. */
function settingsFor(folder: string): Record<string, string> {
  const waiting = String(2 * callers);
  return { USERS_DATA: folder, MAX_QUEUED_HASHES: waiting, MAX_QUEUED_HASHES_PER_CLIENT: waiting };
}

/** A sign-up that somebody tries until it is acknowledged. */
interface Attempt {
  readonly username: string;
  readonly email: string;
  readonly password: string;
  readonly requestId: string;
  userId?: number;
}

function newAttempt(attempts: Attempt[]): Attempt {
  const number = attempts.length;
  const password = number % 32 === 0 ? 'correct horse battery' : ''; // hashing takes longer than all the rest
  const attempt = { username: `User-${number}`, email: `${number}@x.org`, password, requestId: randomUUID() };
  attempts.push(attempt);
  return attempt;
}

test(`SQLite survives ${rounds} kills under concurrent sign-ups`, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-crash-'));
  const attempts: Attempt[] = [];
  let server: ServerProcess | undefined;
  let interrupted = 0;
  let unanswered = 0;
  try {
    for (let round = 1; round <= rounds; round++) {
      server = new ServerProcess({ settings: settingsFor(folder) });
      const before = attempts.filter(({ userId }) => userId !== undefined);
      await withClient(await server.url(), (client) => assertFound(client, before.slice(-mostPerRound)));
      await crashUnderLoad(server, attempts);
      const acknowledged = attempts.filter(({ userId }) => userId !== undefined).length;
      interrupted += attempts.length - acknowledged;
      unanswered += assertWhole(folder, attempts) - acknowledged;
    }
    server = new ServerProcess({ settings: settingsFor(folder) });
    await withClient(await server.url(), async (client) => {
      for (const attempt of attempts) if (attempt.userId === undefined) await signUp(client, attempt);
      await assertFound(client, attempts);
    });
    await server.kill();
    assert.equal(assertWhole(folder, attempts), attempts.length, 'each exactly once');
    assert.ok(interrupted > 0, 'the kills met calls under way');
    context.diagnostic(
      `${attempts.length} users; ${rounds} kills interrupted ${interrupted} sign-ups, ${unanswered} of them stored`,
    );
  } finally {
    await server?.kill();
    rmSync(folder, { recursive: true });
  }
});

/** Lets callers sign up, first those left over from earlier rounds, and kills the server in the midst of it. */
async function crashUnderLoad(server: ServerProcess, attempts: Attempt[]): Promise<void> {
  const waiting = attempts.filter(({ userId }) => userId === undefined);
  let left = Math.floor(Math.random() * mostPerRound);
  let killing = false;
  const enough = Promise.withResolvers<void>();

  async function keepSigningUp(client: Client<typeof Users>): Promise<void> {
    for (;;) {
      if (left-- <= 0) enough.resolve();
      const attempt = waiting.pop() ?? newAttempt(attempts);
      try {
        await signUp(client, attempt);
      } catch (error) {
        if (!killing) throw error;
        const { code } = ConnectError.from(error);
        assert.ok(code !== Code.AlreadyExists && code !== Code.InvalidArgument, Code[code]);
        return;
      }
    }
  }

  await withClient(await server.url(), async (client) => {
    const calls = Promise.all(Array.from({ length: callers }, () => keepSigningUp(client)));
    await Promise.race([calls, enough.promise]);
    // Every other time right after an answer, which may have been given too early; else anywhere in its work.
    if (Math.random() < 0.5) await delay(Math.random() * 5);
    killing = true;
    assert.ok(await server.kill(), 'the server had ended by itself');
    await calls;
  });
}

/** Signs up, now and then twice at once, and notes what is acknowledged. */
async function signUp(client: Client<typeof Users>, attempt: Attempt): Promise<void> {
  const { username, email, password, requestId } = attempt;
  const call = async () => {
    const { user } = await client.createUser({ username, email, password, requestId });
    assert.equal(user?.username, username);
    attempt.userId ??= user.userId;
    assert.equal(user.userId, attempt.userId);
  };
  const calls = await Promise.allSettled(Math.random() < 1 / 8 ? [call(), call()] : [call()]);
  for (const settled of calls) if (settled.status === 'rejected') throw settled.reason;
}

/** Every one of them is found by name and by id. */
async function assertFound(client: Client<typeof Users>, attempts: readonly Attempt[]): Promise<void> {
  for (let at = 0; at < attempts.length; at += 1000) {
    const chunk = attempts.slice(at, at + 1000);
    const user = chunk.flatMap(({ username, userId = 0 }) => [{ username }, { userId }]);
    let place = 0;
    for await (const { result } of client.getUsers({ user })) {
      const { username, userId } = chunk[place++ >> 1] ?? {};
      assert.ok(result.case === 'user', `${username} with id ${userId} is missing`);
      assert.deepEqual([result.value.username, result.value.userId], [username, userId]);
    }
    assert.equal(place, user.length);
  }
}

/** Looks into a copy of the file, so that its log is left to the server to recover. Returns the number of users. */
function assertWhole(folder: string, attempts: readonly Attempt[]): number {
  const copy = `${folder}-copy`;
  cpSync(folder, copy, { recursive: true });
  try {
    using db = new DatabaseSync(join(copy, 'users.sqlite'));
    assert.deepEqual(db.prepare('PRAGMA integrity_check').all().map(Object.values), [['ok']]);
    const rows = new Map(
      db
        .prepare('SELECT * FROM users LEFT JOIN requests USING (user_id)')
        .all()
        .map((row) => [row.username, row]),
    );
    let stored = 0;
    for (const { username, email, password, requestId, userId } of attempts) {
      const row = rows.get(username);
      assert.ok(row || userId === undefined, `${username} was acknowledged and is lost`);
      if (!row) continue;
      stored += 1;
      if (userId !== undefined) assert.equal(row.user_id, userId);
      assert.deepEqual(
        [row.username_key, row.email, row.email_key, row.request_id],
        [username.toLowerCase(), email, email, requestId],
      );
      assert.equal(row.password_hash !== null, password !== '');
      assert.ok(row.fingerprint !== null && row.expires_at_ms !== null);
    }
    assert.equal(stored, db.prepare('SELECT count(*) AS n FROM users').get()?.n, 'nobody else is there');
    return stored;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

async function withClient(
  baseUrl: string,
  use: (client: Client<typeof Users>) => Promise<void>,
): Promise<void> {
  const sessionManager = new Http2SessionManager(baseUrl);
  try {
    await use(createClient(Users, createGrpcTransport({ baseUrl, sessionManager })));
  } finally {
    sessionManager.abort();
  }
}
