import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../store.ts';

/** Two processes that open a file at once take turns; waiting blocks nobody yet. */
const openTimeoutMs = 5_000;
const openRetryMs = 5;

/** What SQLite answers when another process has the lock. */
const busyCode = 5;

const schemaVersion = 1;

/**
 * A sign-up is one row and so one statement: SQLite writes all of it or nothing, and nothing can come between
 * the user and the request id that made it. `*_key` is the text as `folded` makes it.
 */
const schema = `
  CREATE TABLE users (
    user_id               INTEGER PRIMARY KEY CHECK (user_id BETWEEN 1 AND 4294967295),
    username              TEXT NOT NULL,
    username_key          TEXT NOT NULL UNIQUE,
    email                 TEXT,
    email_key             TEXT UNIQUE,
    password_hash         TEXT,
    request_id            TEXT UNIQUE,
    request_fingerprint   TEXT,
    request_expires_at_ms INTEGER
  ) STRICT;
  CREATE INDEX users_by_request_expiry ON users (request_expires_at_ms)
    WHERE request_expires_at_ms IS NOT NULL;
  PRAGMA user_version = ${schemaVersion};
`;

/**
 * Opens the file that holds the users, and makes it, and its folder, if there is none. Only its owner may read
 * it. What is committed is on the disk when COMMIT returns: WAL, and `synchronous=FULL` syncs the log at each
 * commit (https://sqlite.org/pragma.html#pragma_synchronous).
 *
 * Its statements do not wait for other processes, which would block this one: they fail, see `isBusy`.
 *
 * @throws StoreError with one line that says which file and what is wrong with it
 */
export function openSqliteFile(path: string): DatabaseSync {
  const file = resolve(path);
  let db: DatabaseSync | undefined;
  try {
    makeFolder(dirname(file));
    // SQLite gives the log beside the file the same mode: neither shows password hashes to other accounts.
    closeSync(openSync(file, 'a', 0o600));
    db = new DatabaseSync(file, { timeout: openTimeoutMs });
    setDurable(db);
    migrate(db);
    db.exec('PRAGMA busy_timeout = 0');
    return db;
  } catch (cause) {
    db?.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(`cannot open the users file ${file}: ${reason}`, { retrySafe: false, cause });
  }
}

/**
 * Makes a folder and those above it. (With `recursive`, node's own `mkdir` never ends where the system says ENOENT of a
 * folder whose parent is there, as it does in /proc.) A new one survives a power cut only once the one that lists it is
 * synced.
 */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  const parent = dirname(folder);
  makeFolder(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process that starts at the same time was faster.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const descriptor = openSync(parent, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/**
 * Remembers which file is at the path, and returns what to call before a write: SQLite goes on with a file that was
 * removed or replaced, and what it writes is gone when it ends.
 *
 * @throws StoreError, when it is called, if the file is not at its path any more
 */
export function fileWatch(path: string): () => void {
  const file = resolve(path);
  const identity = () => {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stat && `${stat.dev}:${stat.ino}`;
  };
  const opened = identity();
  return () => {
    if (identity() === opened) return;
    const message = `the users file ${file} was removed or replaced: put it back, and start the server again`;
    throw new StoreError(message, { retrySafe: false });
  };
}

function setDurable(db: DatabaseSync): void {
  const mode = unlessBusy(() => db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode);
  if (mode !== 'wal') throw new Error(`its file system allows no write-ahead log (journal_mode ${mode})`);
  db.exec('PRAGMA synchronous = FULL');
}

/**
 * Tries again while another process has the file. Two that turn the log on at once hold what the other waits for:
 * SQLite tells one of them so without waiting for its timeout (https://sqlite.org/c3ref/busy_handler.html).
 */
function unlessBusy<T>(work: () => T): T {
  for (const endMs = performance.now() + openTimeoutMs; ; ) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= endMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, openRetryMs);
    }
  }
}

/** Whether a statement failed because another process has the file: another try may succeed. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === busyCode;
}

/** The code of an error of SQLite, without what extends it (https://sqlite.org/rescode.html); of another, `undefined`. */
export function primaryCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  const version = db.prepare('PRAGMA user_version').get()?.user_version;
  if (version === 0) db.exec(schema);
  db.exec('COMMIT');
  if (version !== 0 && version !== schemaVersion) {
    throw new Error(`it has schema ${version}, this version of the service knows ${schemaVersion}`);
  }
}
