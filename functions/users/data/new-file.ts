import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, lstatSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from './data-error.ts';

/**
 * Makes a file that is whole or absent, whatever happens: it is written beside its place under another name, synced,
 * and renamed. Only its owner may read it. A process that is killed leaves `.NAME.<uuid>.partial`.
 *
 * @param write writes the file of this name, which is there, and empty
 * @throws DataError if there is such a file, and `force` is not set; what `write` throws
 */
export async function writeNewFile<T>(
  path: string,
  { force }: { readonly force: boolean },
  write: (temporary: string) => Promise<T>,
): Promise<T> {
  const file = resolve(path);
  if (!force) refuseFile(file);
  const temporary = temporaryBeside(file);
  try {
    const result = await write(temporary);
    syncAt(temporary);
    if (!force) refuseFile(file); // it may have come meanwhile
    renameSync(temporary, file);
    syncAt(dirname(file));
    return result;
  } finally {
    rmSync(temporary, { force: true });
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

function refuseFile(file: string): void {
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return;
  throw new DataError(`${file} exists: name another file, or replace it with --force`);
}
