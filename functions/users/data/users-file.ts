import { DataError, said } from './data-error.ts';
import { inThread } from './sqlite-thread.ts';

/** What a file of users holds. */
export interface UsersFile {
  readonly users: number;
  /** The version of its schema. */
  readonly schema: number;
}

/**
 * Looks whether a file is one of this service, which this release can open, and whole: that takes some seconds a
 * gigabyte. The file must be in use by nobody.
 *
 * @param newestSchema the version that this release knows
 * @param name what the file is called in errors
 * @throws DataError with one line that says what is wrong
 */
export async function inspect(
  path: string,
  name: string,
  newestSchema: number,
  signal: AbortSignal,
): Promise<UsersFile> {
  const ask = async (sql: string): Promise<unknown> => {
    try {
      const [row] = await inThread(path, sql, [], signal);
      return row && Object.values(row)[0];
    } catch (error) {
      signal.throwIfAborted();
      throw new DataError(`${name} is no whole SQLite file: ${said(error)}`);
    }
  };
  const schema = Number(await ask('PRAGMA user_version'));
  const isOurs = await ask(
    `SELECT count(*) = 4 FROM pragma_table_info('users')
     WHERE name IN ('user_id', 'username', 'username_key', 'password_hash')`,
  );
  if (isOurs !== 1 || schema < 1) throw new DataError(`${name} is a SQLite file, but not one of users`);
  if (schema > newestSchema) {
    const known = `this release knows ${newestSchema} and older`;
    throw new DataError(`${name} is of a newer release: its schema is ${schema}, and ${known}`);
  }
  const health = await ask('PRAGMA integrity_check');
  if (health !== 'ok') {
    throw new DataError(`${name} is damaged: ${String(health).replaceAll('\n', ' ')}`);
  }
  return { users: Number(await ask('SELECT count(*) FROM users')), schema };
}
