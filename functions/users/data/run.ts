import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import type { Limits } from '../../limits.ts';
import { noEvents, type UserStore } from '../store.ts';
import { openStore, type StoreConfig } from '../stores/registry.ts';
import { schemaVersion } from '../stores/sqlite-schema.ts';
import { backUp } from './backup.ts';
import type { DataCommand } from './command-line.ts';
import { DataError, reasonOf } from './data-error.ts';
import { exportUsers } from './export.ts';
import { importUsers } from './import.ts';
import { makeUsersFile, needUsersFile, spareUsersFile, usersFileAt } from './live-file.ts';
import { restore } from './restore.ts';
import { named } from './users-file.ts';

/** Where a command works. */
export interface DataContext {
  readonly store: StoreConfig;
  readonly limits: Limits;
  /** Gives bytes, not text. */
  readonly stdin: Readable;
  readonly stdout: NodeJS.WriteStream;
  /** Shows a line to the operator. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs a command on the store of the settings.
 *
 * @returns whether all of it was done; if not, it has said what was not
 * @throws DataError or StoreError with one line; the signal's reason
 */
export async function run(command: DataCommand, context: DataContext): Promise<boolean> {
  const { store: config, say, signal, stdout } = context;
  if (config.kind === 'memory') {
    throw new DataError('users in memory (USERS_STORE=memory) are in their server alone, and end with it');
  }
  if (command.name !== 'import' || !command.dryRun) say(`Users: ${nameOf(config)}`);
  switch (command.name) {
    case 'backup': {
      const { file: to, force } = command;
      const from = usersFileOf(config, command.name);
      const copied = await backUp({ from, to, force, newestSchema: schemaVersion, say, signal });
      const { users, schema, foreign } = copied;
      if (foreign.length > 0)
        say(`It has what this service has not made, so restore needs --force: ${named(foreign)}`);
      say(
        `${to} holds ${counted(users)} (schema ${schema}), checked; and hashes of passwords: keep it safe.`,
      );
      return true;
    }
    case 'restore': {
      const { file: from, force } = command;
      const to = usersFileOf(config, command.name);
      const now = new Date();
      const restored = await restore({ from, to, force, newestSchema: schemaVersion, now, signal });
      const { users, schema, before, beside } = restored;
      if (before !== undefined) say(`The users file of before is ${before}`);
      for (const path of beside) say(`What SQLite had beside it is ${path}`);
      say(`Restored ${counted(users)} (schema ${schema}). Start the servers.`);
      return true;
    }
    case 'export': {
      const { file: to, force } = command;
      const exportFrom = (store: Pick<UserStore, 'all'>) =>
        exportUsers({ store, to, stdout, force, say, signal });
      let users: number;
      if (config.kind === 'sqlite') {
        const usersFile = usersFileOf(config, command.name);
        needUsersFile(usersFile);
        if (to !== '-') spareUsersFile(to, usersFile);
        const { readSqliteFile } = await import('../stores/sqlite-export.ts');
        using file = readSqliteFile(usersFile);
        users = await exportFrom(file);
      } else users = await withStore(context, exportFrom);
      say(`Exported ${counted(users)}, with the hashes of their passwords: keep the export safe.`);
      return true;
    }
    case 'import':
      return await runImport(command, context);
    case 'upgrade': {
      if (config.kind !== 'dynamodb') {
        say('A users file is upgraded when a server opens it: there is nothing to do.');
        return true;
      }
      const { indexNames } = await import('../stores/dynamodb-index.ts');
      const { table, endpoint } = config;
      const names = await indexNames({ table, endpoint, limits: context.limits, warn: say }, signal);
      say(`Entered ${names} names that were not listed. Users of earlier releases are listed now.`);
      return true;
    }
  }
}

async function runImport(
  { file, dryRun }: Extract<DataCommand, { name: 'import' }>,
  context: DataContext,
): Promise<boolean> {
  const { stdin, say, signal, store: config } = context;
  // Before anything is made.
  const input = file === '-' ? stdin : (await openExport(file)).createReadStream();
  // Who waits for the next line waits no longer once the signal is aborted.
  const from = addAbortSignal(signal, input);
  const importInto = (store: UserStore | undefined) => importUsers({ store, from, say, signal });
  if (!dryRun && config.kind === 'sqlite' && makeUsersFile(usersFileOf(config, 'import'))) {
    say('There was no users file: a new one was made.');
  }
  const { added, present, refused, isWhole } = await (dryRun
    ? importInto(undefined)
    : withStore(context, (store) => importInto(store)));
  const done = dryRun
    ? `Checked the lines of ${counted(added)}, and asked no store whether it takes them`
    : `Imported ${counted(added)}; ${present} ${present === 1 ? 'was' : 'were'} there just the same`;
  const told = refused === 0 ? '' : `; refused ${refused === 1 ? '1 line' : `${refused} lines`}, see above`;
  say(`${done}${told}${isWhole ? '' : '; the export is not whole, see above'}.`);
  return refused === 0 && isWhole;
}

async function openExport(file: string): Promise<FileHandle> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file);
    if ((await handle.stat()).isDirectory()) throw new Error('it is a folder');
    return handle;
  } catch (error) {
    await handle?.close();
    throw new DataError(`cannot read the export ${file}: ${reasonOf(error)}`);
  }
}

async function withStore<T>(
  { store: config, limits, say }: DataContext,
  use: (store: UserStore) => Promise<T>,
): Promise<T> {
  const store = await openStore(config, limits, noEvents, say);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function usersFileOf(config: StoreConfig, command: string): string {
  if (config.kind === 'sqlite') return usersFileAt(join(config.dataFolder, 'users.sqlite'));
  const other = command === 'backup' ? 'users export works for it' : 'users import works for it';
  throw new DataError(
    `users ${command} is for a users file (USERS_STORE=sqlite). A DynamoDB table has point-in-time recovery; ${other}`,
  );
}

function nameOf(config: StoreConfig): string {
  if (config.kind !== 'dynamodb') return usersFileOf(config, '');
  const at = config.endpoint === undefined ? '' : ` at ${config.endpoint}`;
  return `DynamoDB table ${config.table}${at}`;
}

function counted(users: number): string {
  return users === 1 ? '1 user' : `${users} users`;
}
