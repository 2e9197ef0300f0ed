import type { DatabaseSync } from 'node:sqlite';
import { checkpoint } from './sqlite-file.ts';

/**
 * The longest pause until another try, where somebody reads or writes all the time. Each try costs what has come since
 * the last one.
 */
const maxRetryMs = 30_000;

/**
 * Copies the log into the users file in the pauses between commits, so that a copy of the file alone has nearly all.
 */
export interface IdleCheckpoints {
  /** To be called when the file is open, and after each commit: the pause begins anew. */
  written(): void;
  /** Ends them. */
  close(): void;
}

/**
 * Begins to wait for pauses. SQLite itself copies the log at the commit that makes it 1,000 pages long
 * (https://sqlite.org/wal.html, section 3.2), and so leaves the users of a server with little to do in the log for
 * ever. Where others read or write, such as a backup, it tries again, each time after twice as long.
 *
 * @param checkFiles throws if the files are not those that were opened; then nothing is copied
 */
export function idleCheckpoints(db: DatabaseSync, idleMs: number, checkFiles: () => void): IdleCheckpoints {
  let timer: NodeJS.Timeout | undefined;

  function wait(pauseMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(copyLog, pauseMs, pauseMs).unref();
  }

  function copyLog(pausedMs: number): void {
    try {
      checkFiles();
    } catch {
      return; // the next commit says so
    }
    if (!checkpoint(db)) wait(Math.max(idleMs, Math.min(maxRetryMs, pausedMs * 2)));
  }

  return {
    written: () => wait(idleMs),
    close() {
      clearTimeout(timer);
    },
  };
}
