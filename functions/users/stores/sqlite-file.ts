import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../store.ts';
import { isBusy, isFull } from './sqlite-errors.ts';
import { readHeader } from './sqlite-header.ts';
import { migrate, versionOf } from './sqlite-schema.ts';

/** Two processes that open a file at once take turns; waiting blocks nobody yet. */
const openTimeoutMs = 5_000;
const openRetryMs = 5;

/**
 * Opens the file that holds the users, and makes it, and its folder, if there is none; one of an earlier release is
 * brought to the current schema. Only its owner may read it. What is committed is on the disk when COMMIT returns: WAL,
 * and `synchronous=FULL` syncs the log at each commit (https://sqlite.org/pragma.html#pragma_synchronous). What is
 * deleted is overwritten.
 *
 * Its statements do not wait for other processes, which would block this one: they fail, see `isBusy`. Close it with
 * `closeSqliteFile`.
 *
 * @param path may be a symbolic link: the file, and the log beside it, are where it leads
 * @param warn is told in one line if the file's log is missing, so that users may be, or if an upgrade leaves users
 *   with one address. Default: nobody
 * @throws StoreError with one line that says which file and what is wrong with it
 */
export function openSqliteFile(path: string, warn: (line: string) => void = () => {}): DatabaseSync {
  let file = resolve(path);
  let db: DatabaseSync | undefined;
  let isKnown = false;
  try {
    makeFolder(dirname(file));
    makeFile(file);
    file = realpathSync(file);
    const isLogMissing = lacksLog(file);
    db = new DatabaseSync(file, { timeout: openTimeoutMs });
    versionOf(db);
    isKnown = true;
    setDurable(db);
    const { sharedAddresses } = migrate(db);
    if (markOf(db) !== inUse) setMark(db, inUse);
    db.exec('PRAGMA busy_timeout = 0');
    // A copy of the file alone has everybody who is there now, and the mark.
    checkpoint(db);
    if (isLogMissing) warn(logMissing(file));
    if (sharedAddresses.length > 0) warn(addressesShared(file, sharedAddresses));
    return db;
  } catch (cause) {
    if (isKnown && db) closeSqliteFile(db);
    else db?.close();
    const said = cause instanceof Error ? cause.message : String(cause);
    // SQLite makes files beside the users file before it reads a row.
    const reason = isFull(cause) ? `its disk is full: make room, and start the server again (${said})` : said;
    throw new StoreError(`cannot open the users file ${file}: ${reason}`, { retrySafe: false, cause });
  }
}

/**
 * Closes the file. The last one to do so copies the log into it and marks it as complete in itself, so that `lacksLog`
 * has nothing to say of it.
 */
export function closeSqliteFile(db: DatabaseSync): void {
  if (!db.isOpen) return;
  try {
    if (db.isTransaction) db.exec('ROLLBACK');
    db.exec('PRAGMA busy_timeout = 0');
    // In this order a kill at any moment leaves a log beside the file, or a file that is not marked.
    setMark(db, complete);
    try {
      // It copies the log, and fails where others have the file: https://sqlite.org/wal.html, section 3.1
      db.exec('PRAGMA journal_mode = DELETE');
    } catch {
      setMark(db, inUse);
    }
  } catch {
    // Another process writes, or nobody can: the log stays, and has what the file has not.
  }
  db.close();
}

/**
 * Copies the log into the file and empties it, so that nothing of those who were removed is left in it; where others
 * write or read, it copies what they let it (https://sqlite.org/pragma.html#pragma_wal_checkpoint).
 *
 * @returns whether the log is empty; if not, try again later
 */
export function checkpoint(db: DatabaseSync): boolean {
  try {
    return db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0;
  } catch {
    return false; // the log has it all, and the next commit says what is wrong with the disk
  }
}

/**
 * Marks of a file, in the number that SQLite keeps there for its application. The mark of one in use is written to the
 * log before it reaches the file, so a file that has it had a log. Files of schema 1 have none.
 */
const inUse = 0x55736572;
const complete = 0;

const markOf = (db: DatabaseSync) => db.prepare('PRAGMA application_id').get()?.application_id;
const setMark = (db: DatabaseSync, mark: number) => db.exec(`PRAGMA application_id = ${mark}`);

/**
 * Whether a file that is not open yet was in use with a log, and has none. (Marked, but for a rollback journal: a copy
 * that SQLite made of it.)
 *
 * It reads the file only where there is no log, so where this process does not have it open: to close a file lets go of
 * all locks that a process has on it (https://sqlite.org/howtocorrupt.html, section 2.2).
 */
function lacksLog(file: string): boolean {
  const log = `${file}-wal`;
  // Another process may open or close it between two looks. What is lost stays so.
  for (let look = 0; look < 3; look++) {
    if (existsSync(log)) return false;
    const { needsLog, applicationId } = readHeader(file);
    if (!needsLog || applicationId !== inUse) return false;
  }
  return !existsSync(log);
}

function logMissing(file: string): string {
  return (
    `the users file ${file} was copied while a server ran, or its log ${file}-wal was lost: the latest users and ` +
    'changes may be missing. Copy the users of a server that runs with: npx users backup FILE'
  );
}

/** Some ids are enough to begin with. */
const namedIds = 10;

function addressesShared(file: string, userIds: readonly number[]): string {
  const named = userIds.slice(0, namedIds).join(', ') + (userIds.length > namedIds ? ', …' : '');
  return (
    `in the users file ${file}, upgraded now, users have an e-mail address that is another's but for case or accents ` +
    `(${userIds.length}: user_id ${named}): they keep it, and are not found by it. Give them another address`
  );
}

/** SQLite gives the log beside the file the same mode: neither shows password hashes to other accounts. */
function makeFile(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return;
  closeSync(openSync(file, 'a', 0o600));
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

function setDurable(db: DatabaseSync): void {
  const mode = unlessBusy(() => db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode);
  if (mode !== 'wal') throw new Error(`its file system allows no write-ahead log (journal_mode ${mode})`);
  db.exec('PRAGMA synchronous = FULL; PRAGMA secure_delete = ON');
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
