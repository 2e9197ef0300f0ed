import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError, isSystemError, reasonOf } from './data-error.ts';
import { syncAt } from './new-file.ts';

/** What SQLite keeps beside a file (https://sqlite.org/tempfiles.html). */
export const companions = ['-wal', '-shm', '-journal'] as const;

/**
 * The users file that a path names: where a link leads, also to what is not there yet. SQLite keeps the log beside
 * that, and to replace the link would leave the users where they are.
 */
export function usersFileAt(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    // Whoever opens the file says what else is wrong with it.
    if (!isSystemError(error) || error.code !== 'ENOENT') return resolve(path);
  }
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return resolve(path);
  return usersFileAt(resolve(realpathSync(dirname(path)), readlinkSync(path)));
}

/**
 * Sees that the users file can be read.
 *
 * @throws DataError if it is not there, or may not be read
 */
export function needUsersFile(usersFile: string): void {
  try {
    accessSync(usersFile, constants.R_OK);
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new DataError(
      isMissing
        ? `there is no users file ${usersFile}: set USERS_DATA to its folder`
        : `cannot read the users file ${usersFile}: ${reasonOf(error)}`,
    );
  }
}

/**
 * Sees that a file which a command reads or replaces is not where servers keep users: not the users file, nor what
 * SQLite keeps beside it, by whatever name or link.
 *
 * @throws DataError if it is
 */
export function spareUsersFile(path: string, usersFile: string): void {
  for (const end of ['', ...companions]) {
    for (const own of placesOf(usersFile).map((place) => `${place}${end}`)) {
      if (!isSame(path, own)) continue;
      const what = end === '' ? 'is the users file itself' : `belongs to the users file ${usersFile}`;
      throw new DataError(`${path} ${what}: name another file`);
    }
  }
}

/**
 * Makes an empty users file if there is none, and its folder. What root makes belongs to whom the folder above belongs
 * to: the server, which has another account, must open it.
 *
 * @returns whether it was made
 * @throws DataError if it can't be made
 */
export function makeUsersFile(usersFile: string): boolean {
  if (statSync(usersFile, { throwIfNoEntry: false })) return false;
  try {
    makeUsersFolder(dirname(usersFile));
    closeSync(openSync(usersFile, 'wx', 0o600));
    giveToOwnerOf(dirname(usersFile), usersFile);
    return true;
  } catch (error) {
    throw new DataError(`cannot make the users file ${usersFile}: ${reasonOf(error)}`);
  }
}

/** Makes the folder of a users file, and those above it, each for its owner alone. */
export function makeUsersFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })) return;
  makeUsersFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
  giveToOwnerOf(dirname(folder), folder);
  syncAt(dirname(folder)); // else it may be gone after a power cut
}

/** Gives what root has made to whom the model belongs to. */
export function giveToOwnerOf(model: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(model);
  chownSync(path, uid, gid);
}

/** The paths of a file: as its folder is called in truth, and where a link that it may be leads to. */
function placesOf(path: string): string[] {
  const place = join(real(dirname(resolve(path))), basename(path));
  return [place, real(place)];
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // it is not there
  }
}

function isSame(one: string, other: string): boolean {
  const places = placesOf(other);
  if (placesOf(one).some((place) => places.includes(place))) return true;
  // Another name of the same file: a hard link, or a mount.
  const [a, b] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}
