import { createWriteStream, statSync } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UserStore } from '../store.ts';
import { accountLine, endLine, headLine } from './export-format.ts';
import { writeNewFile } from './new-file.ts';
import { progress } from './progress.ts';

/** How to write out the users of a store. */
export interface ExportOptions {
  readonly store: Pick<UserStore, 'all'>;
  /** `-` is `stdout`, and so are its names. A pipe or a device is written into. */
  readonly to: string;
  readonly stdout: Writable;
  /** Replaces a file that is there, other than a users file. */
  readonly force: boolean;
  /** Gets a line now and then while it takes long. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes all accounts of a store as JSON lines, no faster than they are taken; servers go on meanwhile. It holds the
 * hashes of passwords.
 *
 * @returns how many
 * @throws DataError if there is such a file, or if it can't be written; StoreError; the signal's reason
 */
export async function exportUsers(options: ExportOptions): Promise<number> {
  const { store, to, stdout, force, say, signal } = options;
  let users = 0;
  async function* lines() {
    yield `${headLine}\n`;
    for await (const accounts of store.all(signal)) {
      users += accounts.length;
      yield accounts.map((account) => `${accountLine(account)}\n`).join('');
    }
    yield `${endLine(users)}\n`;
  }
  const source = () => Readable.from(lines(), { highWaterMark: 1 });
  using _ = progress(say, () => `${users} users exported`);
  if (stdoutNames.includes(to)) {
    await pipeline(source(), stdout, { signal, end: false });
  } else if (isSink(to)) {
    await pipeline(source(), createWriteStream(to), { signal });
  } else {
    await writeNewFile(to, { force }, (temporary) =>
      pipeline(source(), createWriteStream(temporary), { signal }),
    );
  }
  return users;
}

/** By its names, which may lead to a file, it would be replaced. */
const stdoutNames = ['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'];

/** Whether what is at a path takes bytes, and is never replaced. */
function isSink(path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there?.isFIFO() === true || there?.isCharacterDevice() === true;
}
