import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, lstatSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readHeader } from '../stores/sqlite-header.ts';
import { DataError, isSystemError, reasonOf } from './data-error.ts';

/**
 * Makes a file that is whole or absent, whatever happens: it is written beside its place under another name, synced,
 * and renamed. Only its owner may read it. A process that is killed leaves `.NAME.<uuid>.partial`.
 *
 * @param force replaces a file that is there, but never one that a server may have open
 * @param write writes the file of this name, which is there, and empty
 * @throws DataError if there is a file that is not to be replaced, or if it can't be written; what else `write` throws
 */
export async function writeNewFile<T>(
  path: string,
  { force }: { readonly force: boolean },
  write: (temporary: string) => Promise<T>,
): Promise<T> {
  const file = resolve(path);
  let temporary: string | undefined;
  try {
    refuseFile(file, force);
    temporary = temporaryBeside(file);
    const result = await write(temporary);
    syncAt(temporary);
    refuseFile(file, force); // it may have come meanwhile
    renameSync(temporary, file);
    syncAt(dirname(file));
    return result;
  } catch (error) {
    if (isSystemError(error)) throw new DataError(`cannot write ${file}: ${reasonOf(error)}`);
    throw error;
  } finally {
    if (temporary !== undefined) rmSync(temporary, { force: true });
  }
}

/** Makes an empty file for what will be at `file`, on the same disk, so that it can be renamed. */
export function temporaryBeside(file: string): string {
  const temporary = join(dirname(file), `.${basename(file)}.${randomUUID()}.partial`);
  closeSync(openSync(temporary, 'wx', 0o600));
  return temporary;
}

/** Returns once the file, or what the folder lists, is on the disk. */
export function syncAt(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function refuseFile(file: string, force: boolean): void {
  const there = lstatSync(file, { throwIfNoEntry: false });
  if (there === undefined) return;
  // Nor a link, such as /dev/stdout: root would put a file in its place.
  if (!there.isFile()) throw new DataError(`${file} is no file that can be replaced: name another`);
  if (!force) throw new DataError(`${file} exists: name another file, or replace it with --force`);
  if (readHeader(file).needsLog) {
    throw new DataError(`${file} is the users file of a server, or was copied from one: name another file`);
  }
}
