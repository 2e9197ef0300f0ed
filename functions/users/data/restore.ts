import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isBusy } from '../stores/sqlite-errors.ts';
import { headerBytes, readHeader, type SqliteHeader } from '../stores/sqlite-header.ts';
import { DataError, reasonOf, said } from './data-error.ts';
import { companions, giveToOwnerOf, makeUsersFolder, spareUsersFile } from './live-file.ts';
import { syncAt, temporaryBeside } from './new-file.ts';
import { inspect, named, type UsersFile } from './users-file.ts';

/** How to put a backup in the place of the users file. */
export interface RestoreOptions {
  readonly from: string;
  /** The users file. It, and its folder, need not be there. */
  readonly to: string;
  /** Also takes a copy that may lack its latest users, or has triggers, and replaces what is no database. */
  readonly force: boolean;
  readonly newestSchema: number;
  readonly now: Date;
  readonly signal: AbortSignal;
}

/** What was restored. */
export interface Restored extends UsersFile {
  /** Where the users file of before is now; `undefined` if there was none. */
  readonly before: string | undefined;
  /** Where is what lay beside it, and may have users that it has not. */
  readonly beside: readonly string[];
}

/**
 * Puts a backup in the place of the users file, which no server may have open. A backup of an older release stays as it
 * is, and is upgraded when a server opens it. Whatever happens, the users file is the old one or the new one, whole.
 *
 * A server that starts meanwhile serves the restored users, or says in one line that it can't open its file. It would
 * otherwise go on with the old file, without a name: it may have opened that before, and wait for its lock. So the old
 * users are copied aside, and the old file is made unreadable before its lock is let go.
 *
 * @throws DataError with one line; the signal's reason
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { from, force, newestSchema, now, signal } = options;
  const file = resolve(options.to);
  spareUsersFile(from, file);
  refuseCopyOfLive(from, force);
  refuseHardLinks(file);
  makeUsersFolder(dirname(file));
  const restored = temporaryBeside(file);
  const aside = `${file}.before-restore-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  const leftovers = [restored];
  try {
    // It is checked as it will be, whatever becomes of the original meanwhile.
    copyFile(from, restored);
    const found = await inspect(restored, from, newestSchema, signal);
    if (!force) refuseForeign(from, found);
    syncAt(restored);
    // SQLite would delete the log of a file that is no longer there. It may be all that is left.
    const beside = isEmpty(file) ? moveAside(file, aside, ['-wal']) : [];
    using old = takeFile(file, force);
    const isUsed = fstatSync(old.descriptor).size > 0;
    const model = isUsed ? file : dirname(file);
    giveToOwnerOf(model, restored);
    if (isUsed) {
      if (existsSync(aside)) throw new DataError(`${aside} exists: try again in a second`);
      const copy = temporaryBeside(aside);
      leftovers.push(copy);
      copyFrom(old.descriptor, copy);
      giveToOwnerOf(model, copy);
      syncAt(copy);
      renameSync(copy, aside);
    }
    signal.throwIfAborted();
    // SQLite would apply them to the new file. Those of a file that was locked have nothing that it has not; one that
    // is damaged could not be.
    if (old.isLocked) for (const end of companions) rmSync(`${file}${end}`, { force: true });
    else beside.push(...moveAside(file, aside, companions));
    syncAt(dirname(file));
    renameSync(restored, file);
    syncAt(dirname(file));
    old.spoil();
    return { ...found, before: isUsed ? aside : undefined, beside };
  } finally {
    for (const leftover of leftovers) rmSync(leftover, { force: true });
  }
}

/** A file in the write-ahead mode is complete only together with its log, which `users backup` copies too. */
function refuseCopyOfLive(from: string, force: boolean): void {
  let header: SqliteHeader;
  try {
    header = readHeader(from);
  } catch (error) {
    throw new DataError(`cannot read the backup ${from}: ${reasonOf(error)}`);
  }
  if (!header.isSqlite) throw new DataError(`${from} is no SQLite file`);
  if (header.needsLog && !force) {
    throw new DataError(
      `${from} is the users file of a server, or a plain copy of one, without its latest users: ` +
        'take a backup with users backup, or restore it all the same with --force',
    );
  }
}

/** A trigger can make a server lose what it has acknowledged, or copy hashes to where others read them. */
function refuseForeign(from: string, { foreign }: UsersFile): void {
  if (foreign.length === 0) return;
  throw new DataError(
    `${from} has what this service has not made, which its servers would run: ${named(foreign)}. ` +
      'If it is your own, restore it with --force',
  );
}

/** The users file of before, which nobody else can open. */
interface OldFile extends Disposable {
  /** Stays open until the end: closing it would let go of the locks (https://sqlite.org/howtocorrupt.html, 2.2). */
  readonly descriptor: number;
  /** Its log is copied into it. A damaged one could not be locked. */
  readonly isLocked: boolean;
  /** Makes it no database, for those who have it open already and wait for its lock. */
  spoil(): void;
}

/** Locks the file, which is made if it is not there, and copies its log into it. */
function takeFile(file: string, force: boolean): OldFile {
  const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file);
    // Nobody else gets a lock from the first of these statements on: https://sqlite.org/pragma.html#pragma_locking_mode
    db.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE');
    // Without a journal, which SQLite would delete by its name at the end, when it may be that of a new server.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    const reason = isBusy(error)
      ? `a server has the users file ${file} open: end it first`
      : `cannot lock the users file ${file}: ${said(error)}: end all its servers, and replace it with --force`;
    if (isBusy(error) || !force) {
      closeSync(descriptor);
      throw new DataError(reason);
    }
  }
  return {
    descriptor,
    isLocked: db?.isOpen === true,
    spoil: () => writeSync(descriptor, Buffer.alloc(headerBytes), 0, headerBytes, 0),
    [Symbol.dispose]() {
      if (db?.isOpen) db.close();
      closeSync(descriptor);
    },
  };
}

const chunkBytes = 1 << 20;

/**
 * Copies into a file that is there, whose mode stays: what the operator has made of the backup's is not the server's.
 */
function copyFile(from: string, path: string): void {
  const source = openSync(from, 'r');
  try {
    copyFrom(source, path);
  } finally {
    closeSync(source);
  }
}

/** Copies from an open file, which this process may have only one descriptor of. */
function copyFrom(descriptor: number, path: string): void {
  const target = openSync(path, 'w');
  const chunk = Buffer.alloc(chunkBytes);
  try {
    for (let at = 0; ; ) {
      const bytes = readSync(descriptor, chunk, 0, chunkBytes, at);
      if (bytes === 0) return;
      for (let done = 0; done < bytes; ) done += writeSync(target, chunk, done, bytes - done, at + done);
      at += bytes;
    }
  } finally {
    closeSync(target);
  }
}

/** The old file is made unreadable at the end, and would be under its other names as well. */
function refuseHardLinks(file: string): void {
  const names = statSync(file, { throwIfNoEntry: false })?.nlink ?? 1;
  if (names === 1) return;
  throw new DataError(
    `the users file ${file} has other names (hard links), which would be damaged: make copies of them instead`,
  );
}

function isEmpty(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/** @returns where they are now */
function moveAside(file: string, aside: string, ends: readonly string[]): string[] {
  const there = ends.filter((end) => existsSync(`${file}${end}`));
  for (const end of there) renameSync(`${file}${end}`, `${aside}${end}`);
  return there.map((end) => `${aside}${end}`);
}
