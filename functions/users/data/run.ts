import { createReadStream } from 'node:fs';
import { join, resolve } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import type { Limits } from '../../limits.ts';
import type { UserStore } from '../store.ts';
import { openStore, type StoreConfig } from '../stores/registry.ts';
import { schemaVersion } from '../stores/sqlite-schema.ts';
import { backUp } from './backup.ts';
import type { DataCommand } from './command-line.ts';
import { DataError } from './data-error.ts';
import { exportUsers } from './export.ts';
import { importUsers } from './import.ts';
import { restore } from './restore.ts';

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
      const { users, schema } = await backUp({ from, to, force, newestSchema: schemaVersion, say, signal });
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
      const { users, schema, before } = restored;
      if (before !== undefined) say(`The users file of before is ${before}`);
      say(`Restored ${counted(users)} (schema ${schema}). Start the servers.`);
      return true;
    }
    case 'export': {
      const { file: to, force } = command;
      const users = await withStore(context, (store) =>
        exportUsers({ store, to, stdout, force, say, signal }),
      );
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
      const names = await indexNames({ table, endpoint, limits: context.limits }, signal);
      say(`Entered ${names} names that were not listed. Users of earlier releases are listed now.`);
      return true;
    }
  }
}

async function runImport(
  { file, dryRun }: Extract<DataCommand, { name: 'import' }>,
  context: DataContext,
): Promise<boolean> {
  const { stdin, say, signal } = context;
  // Who waits for the next line waits no longer once the signal is aborted.
  const from = addAbortSignal(signal, file === '-' ? stdin : createReadStream(file));
  const importInto = (store: UserStore | undefined) => importUsers({ store, from, say, signal });
  const { added, present, refused } = await (dryRun
    ? importInto(undefined)
    : withStore(context, (store) => importInto(store)));
  const told = refused === 0 ? '' : `; ${refused} refused, see above`;
  say(
    dryRun
      ? `${counted(added)} could be imported${told}.`
      : `Imported ${counted(added)}; ${present} were there just the same${told}.`,
  );
  return refused === 0;
}

async function withStore<T>(
  { store: config, limits }: DataContext,
  use: (store: UserStore) => Promise<T>,
): Promise<T> {
  const store = await openStore(config, limits);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function usersFileOf(config: StoreConfig, command: string): string {
  if (config.kind === 'sqlite') return resolve(join(config.dataFolder, 'users.sqlite'));
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
