import type { DatabaseSync } from 'node:sqlite';
import { checkpoint } from './sqlite-file.ts';

/** Copies the log into the users file in the pauses between commits, so that a copy of the file alone has nearly all. */
export interface IdleCheckpoints {
  /** To be called after each commit: the pause begins anew. */
  written(): void;
  /** Ends them. */
  close(): void;
}

/**
 * Begins to wait for pauses. SQLite itself copies the log at the commit that makes it 1,000 pages long
 * (https://sqlite.org/wal.html, section 3.2), and so leaves the users of a server with little to do in the log for ever.
 *
 * @param checkFiles throws if the files are not those that were opened; then nothing is copied
 */
export function idleCheckpoints(db: DatabaseSync, idleMs: number, checkFiles: () => void): IdleCheckpoints {
  let timer: NodeJS.Timeout | undefined;

  function copyLog(): void {
    try {
      checkFiles();
    } catch {
      return; // the next commit says so
    }
    checkpoint(db);
  }

  return {
    written() {
      if (timer) timer.refresh();
      else timer = setTimeout(copyLog, idleMs).unref();
    },
    close() {
      clearTimeout(timer);
    },
  };
}
