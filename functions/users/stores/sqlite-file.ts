import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../store.ts';
import { isBusy, isFull } from './sqlite-errors.ts';

/** Two processes that open a file at once take turns; waiting blocks nobody yet. */
const openTimeoutMs = 5_000;
const openRetryMs = 5;

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
    const said = cause instanceof Error ? cause.message : String(cause);
    // SQLite makes files beside the users file before it reads a row.
    const reason = isFull(cause) ? `its disk is full: make room, and start the server again (${said})` : said;
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
 * Remembers the file and the log of an open database, and returns a check to call before each write. SQLite goes on
 * with files that somebody has removed, replaced or cut short, and what it writes then is lost.
 *
 * SQLite itself may truncate the log or begin it anew, at any time and for any process: that is as it should be. It
 * does not delete the log while this database is open (https://sqlite.org/wal.html, section 4).
 *
 * The check throws a StoreError if a file is not what it was.
 */
export function fileWatch(path: string, db: DatabaseSync): () => void {
  const file = resolve(path);
  const log = `${file}-wal`;
  const opened = { file: identityOf(file), log: identityOf(log) };
  const pageBytes = Number(db.prepare('PRAGMA page_size').get()?.page_size);
  // It changes nothing, and tells how many frames are in the log: https://sqlite.org/pragma.html#pragma_wal_checkpoint
  const logState = db.prepare('PRAGMA wal_checkpoint(NOOP)');

  /** SQLite takes frames off its count before it truncates the log, and counts new ones once they are written. */
  const isCut = () => {
    const frames = Number(logState.get()?.log);
    const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
    return frames > 0 && size < walHeaderBytes + frames * (walFrameHeaderBytes + pageBytes);
  };
  const refuse = (what: string) => {
    throw new StoreError(`the ${what}`, { retrySafe: false });
  };

  return () => {
    if (identityOf(file) !== opened.file) {
      refuse(`users file ${file} was removed or replaced: put it back, and start the server again`);
    }
    if (identityOf(log) !== opened.log) {
      // The open log still holds everything. The last server to close it copies that into the users file.
      refuse(
        `log ${log} was removed or replaced: end all its servers, which saves what it held, and start again`,
      );
    }
    // Another process may have truncated the log between the count and the size. Hardly ever three times in a row.
    if (isCut() && isCut() && isCut()) {
      refuse(`log ${log} was cut short: end all its servers, and look for the latest users, who may be lost`);
    }
  };
}

/** The format of the log: https://sqlite.org/fileformat2.html#the_write_ahead_log */
const walHeaderBytes = 32;
const walFrameHeaderBytes = 24;

/** Tells a file from every other that has been at its path; `undefined` if there is none. */
function identityOf(file: string): string | undefined {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
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

function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  const version = db.prepare('PRAGMA user_version').get()?.user_version;
  if (version === 0) db.exec(schema);
  db.exec('COMMIT');
  if (version !== 0 && version !== schemaVersion) {
    throw new Error(`it has schema ${version}, this version of the service knows ${schemaVersion}`);
  }
}
