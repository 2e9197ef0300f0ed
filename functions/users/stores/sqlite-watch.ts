import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../store.ts';

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
  // SQLite keeps the log beside what a symbolic link leads to.
  const log = `${db.location()}-wal`;
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
