import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { limits as defaultLimits, type Limits } from '../../limits.ts';
import { StoreError, type UserStore } from '../store.ts';
import { idleCheckpoints } from './sqlite-checkpoints.ts';
import { busyRetryMs, commitQueue } from './sqlite-commits.ts';
import { type SqliteDecisions, sqliteDecisions } from './sqlite-decisions.ts';
import { fault, isBusy } from './sqlite-errors.ts';
import { closeSqliteFile, openSqliteFile } from './sqlite-file.ts';
import { inBatches, type SqliteReads, sqliteReads } from './sqlite-reads.ts';
import { readTurns } from './sqlite-turns.ts';
import { fileWatch } from './sqlite-watch.ts';

/** How to open users in a SQLite file. */
export interface SqliteStoreOptions {
  /** The file; it and its folder are made if they don't exist. */
  readonly path: string;
  /** Default: the limits of the service. */
  readonly limits?: Pick<
    Limits,
    'maxGroupedCommits' | 'maxQueuedSignUps' | 'sqliteBusyTimeoutMs' | 'sqliteIdleCheckpointMs'
  >;
  /** The time in ms since the epoch, for what expires. Default: `Date.now`. */
  readonly now?: () => number;
  /** Is told in one line, when the file is opened, that it may lack users. Default: nobody. */
  readonly warn?: (line: string) => void;
}

/** A file with other tables than its version says can't answer what is asked. */
function prepared(path: string, db: DatabaseSync): { reads: SqliteReads; decisions: SqliteDecisions } {
  try {
    const reads = sqliteReads(db);
    return { reads, decisions: sqliteDecisions(db, reads) };
  } catch (cause) {
    closeSqliteFile(db);
    const said = cause instanceof Error ? cause.message : String(cause);
    const what = `cannot open the users file ${path}: it has not what its version says (${said})`;
    throw new StoreError(`${what}: restore a backup`, { retrySafe: false, cause });
  }
}

/**
 * Keeps users in a SQLite file of this machine; a result means that they are on its disk. Several processes may use one
 * file: a process that waits for another goes on with other work. Sign-ups, changes and removals that arrive in the
 * same turn of the event loop are committed together, since a commit costs a sync of the disk.
 *
 * @throws StoreError if the file can't be opened, with one line that says why
 */
export function openSqliteStore(options: SqliteStoreOptions): UserStore {
  const { path, limits = defaultLimits, now = Date.now, warn } = options;
  const db = openSqliteFile(path, warn);
  const checkFiles = fileWatch(path, db);
  const { reads, decisions } = prepared(path, db);
  const checkpoints = idleCheckpoints(db, limits.sqliteIdleCheckpointMs, checkFiles);
  const commits = commitQueue({
    db,
    limits,
    now,
    checkFiles,
    // As many as one of them can add, so that none pile up.
    tidy: (nowMs, decided) => decisions.forgetExpired(nowMs, 2 * decided),
    committed: checkpoints.written,
  });
  // A log that the last server left is copied at the latest when whoever reads it has ended.
  checkpoints.written();
  const turns = readTurns();
  let closed = false;

  function check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (closed) throw new StoreError('the store is closed', { retrySafe: true });
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
        if (!isBusy(cause) || performance.now() >= endMs) throw fault(what, cause, true);
      }
      await delay(busyRetryMs);
    }
  }

  function writeAndTakeBack(): void {
    checkFiles();
    db.exec('BEGIN IMMEDIATE');
    try {
      decisions.writeAndTakeBack(now());
      db.exec('COMMIT');
    } catch (cause) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw cause;
    }
  }

  return {
    system: 'sqlite',
    precheck: (candidate, signal) => ask('read users', signal, () => reads.refusal(candidate, now())),
    async signUp(signUp, signal) {
      check(signal);
      const decide = (nowMs: number) => decisions.signUp(signUp, nowMs);
      const isRepeatable = signUp.request !== undefined;
      return commits.add({ name: 'store the user', decide, isRepeatable }, signal);
    },
    account: (key, signal) => ask('read users', signal, () => reads.account(key)),
    async change(change, signal) {
      check(signal);
      const decide = (nowMs: number) => decisions.change(change, nowMs);
      const isRepeatable = change.request !== undefined;
      return commits.add({ name: 'change the user', decide, isRepeatable }, signal);
    },
    recall: (requestId, signal) => ask('read users', signal, () => reads.request(requestId, now())),
    async remove(removal, signal) {
      check(signal);
      const decide = (nowMs: number) => decisions.remove(removal, nowMs);
      // A repeat finds that nobody is there. But a name that is free at once may be another user's by then.
      const isRepeatable = removal.heldUntilMs > now();
      return commits.add({ name: 'remove the user', decide, isRepeatable }, signal);
    },
    list: (listing, signal) => ask('read users', signal, () => reads.page(listing)),
    all: (signal) =>
      inBatches((lastId, most) => ask('read users', signal, () => reads.accountsAfter(lastId, most))),
    find: (wanted, signal) =>
      turns.inParts(wanted, (some) => ask('read users', signal, () => reads.users(some))),
    probe: (signal) =>
      ask('write to its file', signal, () => {
        writeAndTakeBack();
        reads.isUserId(0);
      }),
    async close() {
      closed = true;
      await commits.drained();
      checkpoints.close();
      if (!db.isOpen) return;
      try {
        checkFiles();
      } catch {
        // What is at their paths is not ours to turn back. The open log is still copied into the open file.
        return db.close();
      }
      closeSqliteFile(db);
    },
  };
}
