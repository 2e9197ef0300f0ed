import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder for the files of a test. */
export const newFolder = (): string => mkdtempSync(join(tmpdir(), 'users-sqlite-'));

/** Lends a new folder, and the path of a users file in it that is not there yet; both go afterwards. */
export async function inFolder(use: (folder: string, path: string) => Promise<void> | void): Promise<void> {
  const folder = newFolder();
  try {
    await use(folder, join(folder, 'users.sqlite'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
