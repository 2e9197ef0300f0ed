import { statSync } from 'node:fs';
import { DataError, said } from './data-error.ts';
import { needUsersFile, spareUsersFile } from './live-file.ts';
import { writeNewFile } from './new-file.ts';
import { megabytes, progress } from './progress.ts';
import { inProcess } from './sqlite-process.ts';
import { inspect, type UsersFile } from './users-file.ts';

/** How to copy a users file. */
export interface BackupOptions {
  /** The users file. It may be in use. */
  readonly from: string;
  readonly to: string;
  /** Replaces a file that is there, other than a users file. */
  readonly force: boolean;
  readonly newestSchema: number;
  /** Gets a line now and then while it takes long. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Copies a users file as it is at one moment, while servers read and write it: everybody who was acknowledged before
 * is in the copy. VACUUM INTO reads in one transaction, which nobody waits for (https://sqlite.org/lang_vacuum.html,
 * section 2.1). The other way, SQLite's backup API, begins anew with each write of another process, so it does not end
 * under load; its copy needs a log beside it, and keeps what was deleted.
 *
 * @returns what the copy holds, which has been checked
 * @throws DataError with one line; the signal's reason
 */
export function backUp(options: BackupOptions): Promise<UsersFile> {
  const { from, to, force, newestSchema, say, signal } = options;
  needUsersFile(from);
  spareUsersFile(to, from);
  return writeNewFile(to, { force }, async (temporary) => {
    const done = () => `${megabytes(statSync(temporary).size)} copied, of at most ${sizeOf(from)}`;
    {
      using _ = progress(say, done);
      try {
        await inProcess(from, [['VACUUM INTO ?', temporary]], signal);
      } catch (error) {
        signal.throwIfAborted();
        throw new DataError(`cannot copy the users file ${from}: ${said(error)}`);
      }
    }
    using _ = progress(say, () => 'checking the copy');
    return await inspect(temporary, 'the copy', newestSchema, signal);
  });
}

function sizeOf(file: string): string {
  const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return megabytes(size(file) + size(`${file}-wal`));
}
