import { randomInt } from 'node:crypto';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { limits as defaultLimits, type Limits } from '../../limits.ts';
import { type SignUp, type SignUpResult, type StoredUser, StoreError, type UserStore } from '../store.ts';
import { folded } from './folded.ts';
import { isBusy, primaryCode } from './sqlite-errors.ts';
import { fileWatch, openSqliteFile } from './sqlite-file.ts';

/** How to open users in a SQLite file. */
export interface SqliteStoreOptions {
  /** The file; it and its folder are made if they don't exist. */
  readonly path: string;
  /** Default: the limits of the service. */
  readonly limits?: Pick<Limits, 'maxGroupedCommits' | 'maxQueuedSignUps' | 'sqliteBusyTimeoutMs'>;
  /** The time in ms since the epoch, for the expiry of request ids. Default: `Date.now`. */
  readonly now?: () => number;
}

/** How long to wait before the next try while another process has the file: about as long as its commit takes. */
const busyRetryMs = 2;

/** A sign-up that waits for the next commit. */
interface Waiting {
  readonly signUp: SignUp;
  readonly signal: AbortSignal;
  readonly sinceMs: number;
  readonly resolve: (result: SignUpResult) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Keeps users in a SQLite file of this machine; a result means that they are on its disk. Several processes may use one
 * file: a process that waits for another goes on with other work. Sign-ups that arrive in the same turn of the event
 * loop are committed together, since a commit costs a sync of the disk.
 *
 * @throws StoreError if the file can't be opened, with one line that says why
 */
export function openSqliteStore(options: SqliteStoreOptions): UserStore {
  const { path, limits = defaultLimits, now = Date.now } = options;
  const db = openSqliteFile(path);
  const checkFiles = fileWatch(path, db);
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const rollback = db.prepare('ROLLBACK');
  const userByName = db.prepare('SELECT username, user_id FROM users WHERE username_key = ?');
  const userById = db.prepare('SELECT username, user_id FROM users WHERE user_id = ?');
  const userByEmail = db.prepare('SELECT username, user_id FROM users WHERE email_key = ?');
  const userByRequest = db.prepare(
    'SELECT username, user_id, request_fingerprint FROM users WHERE request_id = ? AND request_expires_at_ms > ?',
  );
  // One statement, so that it sees one state of the file: the first of two repeats takes its own name.
  const refusalOf = db.prepare(
    `SELECT CASE
       WHEN EXISTS (SELECT 1 FROM users WHERE request_id = ? AND request_expires_at_ms > ?) THEN NULL
       WHEN EXISTS (SELECT 1 FROM users WHERE username_key = ?) THEN 'username_taken'
       WHEN EXISTS (SELECT 1 FROM users WHERE email_key = ?) THEN 'email_taken'
     END AS refusal`,
  );
  const forgetRequest = db.prepare(
    `UPDATE users SET request_id = NULL, request_fingerprint = NULL, request_expires_at_ms = NULL
     WHERE request_id = ?`,
  );
  const forgetExpired = db.prepare(
    `UPDATE users SET request_id = NULL, request_fingerprint = NULL, request_expires_at_ms = NULL
     WHERE user_id IN (SELECT user_id FROM users WHERE request_expires_at_ms <= ?
                       ORDER BY request_expires_at_ms LIMIT ?)`,
  );
  const deleteUser = db.prepare('DELETE FROM users WHERE user_id = ?');
  const insertUser = db.prepare(
    `INSERT INTO users (user_id, username, username_key, email, email_key, password_hash,
                        request_id, request_fingerprint, request_expires_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const queue: Waiting[] = [];
  let committing: Promise<void> | undefined;
  let closed = false;

  function check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (closed) throw new StoreError('the store is closed', { retrySafe: true });
  }

  /** Runs inside the transaction, which keeps other processes from writing: what is found free stays free. */
  function decide(signUp: SignUp, nowMs: number): SignUpResult {
    const { userId, username, email, request } = signUp;
    if (request) {
      const row = userByRequest.get(request.id, nowMs);
      if (row) {
        if (row.request_fingerprint !== request.fingerprint) return { outcome: 'request_id_reused' };
        return { outcome: 'repeated', user: storedUser(row) };
      }
    }
    const nameKey = folded(username);
    const emailKey = keyOf(email);
    if (userByName.get(nameKey)) return { outcome: 'username_taken' };
    if (emailKey !== null && userByEmail.get(emailKey)) return { outcome: 'email_taken' };
    if (userById.get(userId)) return { outcome: 'user_id_taken' };
    if (request) forgetRequest.run(request.id); // expired, else it had been found
    const user = [userId, username, nameKey, email ?? null, emailKey, signUp.passwordHash ?? null];
    const key = [request?.id ?? null, request?.fingerprint ?? null, request?.expiresAtMs ?? null];
    insertUser.run(...user, ...key);
    return { outcome: 'created', user: { username, userId } };
  }

  /** A failed statement fails its own sign-up alone; a lost transaction fails all of them. */
  function answer(call: Waiting, nowMs: number): () => void {
    try {
      const result = decide(call.signUp, nowMs);
      return () => call.resolve(result);
    } catch (cause) {
      if (!db.isTransaction) throw cause;
      return () => call.reject(fault('store the user', cause, call.signUp));
    }
  }

  /** Commits sign-ups that wait, as many as may go together. False: another process has the file, and they wait on. */
  function commitNext(): boolean {
    const group: Waiting[] = [];
    for (const call of queue.splice(0, limits.maxGroupedCommits)) {
      if (call.signal.aborted) call.reject(call.signal.reason);
      else group.push(call);
    }
    if (group.length === 0) return true;
    let answers: (() => void)[];
    let waitOn: Waiting[] = [];
    try {
      checkFiles();
      begin.run();
      const nowMs = now();
      answers = group.map((call) => answer(call, nowMs));
      forgetExpired.run(nowMs, 2 * group.length); // more than can be added, so that none pile up
      commit.run();
    } catch (cause) {
      if (db.isTransaction) rollback.run();
      const failedAtMs = performance.now();
      const mayWait = (call: Waiting) =>
        isBusy(cause) && failedAtMs - call.sinceMs < limits.sqliteBusyTimeoutMs;
      waitOn = group.filter(mayWait);
      answers = group
        .filter((call) => !mayWait(call))
        .map((call) => () => call.reject(fault('store the user', cause, call.signUp)));
    }
    queue.unshift(...waitOn);
    for (const give of answers) give();
    return waitOn.length === 0;
  }

  async function commitAll(): Promise<void> {
    while (queue.length > 0) {
      await nextTurn();
      if (!commitNext()) await delay(busyRetryMs);
    }
    committing = undefined;
  }

  /**
   * Writes what a sign-up writes, and takes it back in the same transaction: nobody sees it, and the pages that it has
   * touched are synced all the same. A full disk, or a file that is gone, fails here as it fails there.
   */
  function writeAndTakeBack(): void {
    checkFiles();
    begin.run();
    try {
      // Names and addresses are never empty. Where the id is somebody's, that one stays.
      const userId = randomInt(1, 2 ** 32);
      const { outcome } = decide({ username: '', email: '', userId, passwordHash: hashLike }, now());
      if (outcome === 'created') deleteUser.run(userId);
      commit.run();
    } catch (cause) {
      if (db.isTransaction) rollback.run();
      throw cause;
    }
  }

  /** Asks the file; tries again while another process has it. */
  async function ask<T>(what: string, signal: AbortSignal, query: () => T): Promise<T> {
    const endMs = performance.now() + limits.sqliteBusyTimeoutMs;
    for (;;) {
      check(signal);
      try {
        return query();
      } catch (cause) {
        // Rare, as readers and writers do not wait for each other: https://sqlite.org/wal.html, section 8.
        if (!isBusy(cause) || performance.now() >= endMs) throw fault(what, cause);
      }
      await delay(busyRetryMs);
    }
  }

  return {
    system: 'sqlite',
    precheck: ({ username, email, requestId }, signal) =>
      ask('read users', signal, () => {
        const row = refusalOf.get(requestId ?? null, now(), folded(username), keyOf(email));
        const refusal = row?.refusal;
        return refusal === 'username_taken' || refusal === 'email_taken' ? refusal : undefined;
      }),
    async signUp(signUp, signal) {
      check(signal);
      if (queue.length >= limits.maxQueuedSignUps) {
        throw new StoreError(`${queue.length} sign-ups wait already`, { retrySafe: true, isOverload: true });
      }
      const { promise, resolve, reject } = Promise.withResolvers<SignUpResult>();
      queue.push({ signUp, signal, sinceMs: performance.now(), resolve, reject });
      committing ??= commitAll();
      return promise;
    },
    find: (wanted, signal) =>
      ask('read users', signal, () =>
        wanted.map(({ username, userId }) =>
          username === '' ? found(userById, userId) : found(userByName, folded(username)),
        ),
      ),
    account: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    change: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    recall: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    remove: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    list: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    all: () => {
      throw new StoreError('not yet', { retrySafe: false });
    },
    probe: (signal) =>
      ask('write to its file', signal, () => {
        writeAndTakeBack();
        found(userById, 0);
      }),
    async close() {
      closed = true;
      await committing;
      if (db.isOpen) db.close();
    },
  };
}

/** As long as the hash of a password. */
const hashLike = '$'.repeat(97);

function keyOf(email: string | undefined): string | null {
  return email === undefined ? null : folded(email);
}

function found(statement: StatementSync, key: SQLInputValue): StoredUser | undefined {
  const row = statement.get(key);
  return row && storedUser(row);
}

function storedUser(row: ReturnType<StatementSync['all']>[number]): StoredUser {
  const { username, user_id: userId } = row;
  if (typeof username !== 'string' || typeof userId !== 'number') throw new Error('a row is not a user');
  return { username, userId };
}

/**
 * BUSY, LOCKED and FULL (https://sqlite.org/rescode.html) are found before anything is committed. After other
 * errors the outcome may be unknown until the next start, so only what carries a request id may be repeated.
 */
const nothingWritten: ReadonlySet<number | undefined> = new Set([5, 6, 13]);

function fault(what: string, cause: unknown, signUp?: SignUp): StoreError {
  if (cause instanceof StoreError) return cause;
  const retrySafe = !signUp || signUp.request !== undefined || nothingWritten.has(primaryCode(cause));
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(`SQLite could not ${what}: ${reason}`, { retrySafe, cause });
}
