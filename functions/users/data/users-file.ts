import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { makeSchema } from '../stores/sqlite-schema.ts';
import { DataError, said } from './data-error.ts';
import { inProcess, type Row, type Statement } from './sqlite-process.ts';

/** What a file of users holds. */
export interface UsersFile {
  readonly users: number;
  /** The version of its schema. */
  readonly schema: number;
  /** Triggers, views and virtual tables, such as `trigger audit`: they would run in a server, and are none of ours. */
  readonly foreign: readonly string[];
}

/**
 * Looks whether a file is one of this service, which this release can open, and whole: that takes some seconds a
 * gigabyte. The file must be in use by nobody, and may be hostile: nothing that others have written into it is run
 * before its tables are known to be those that this service makes. Other tables, and their indexes, may be in it.
 *
 * @param newestSchema the version that this release knows
 * @param name what the file is called in errors
 * @param mostMs how long each look may take. Default: a minute, and a second more for each megabyte
 * @throws DataError with one line that says what is wrong
 */
export async function inspect(
  path: string,
  name: string,
  newestSchema: number,
  signal: AbortSignal,
  mostMs = mostMsFor(statSync(path).size),
): Promise<UsersFile> {
  async function ask(...statements: Statement[]): Promise<readonly (readonly Row[])[]> {
    const tooLong = AbortSignal.timeout(mostMs);
    try {
      return await inProcess(path, statements, AbortSignal.any([signal, tooLong]));
    } catch (error) {
      signal.throwIfAborted();
      const isEndless = tooLong.aborted;
      throw new DataError(
        isEndless ? `${name} takes too long to check` : `${name} is no whole SQLite file: ${said(error)}`,
      );
    }
  }
  const [versions, objects = []] = await ask(['PRAGMA user_version'], [objectsSql]);
  const schema = numberIn(versions);
  const notOurs = `${name} is a SQLite file, but not one of users`;
  if (schema < 1) throw new DataError(notOurs);
  if (schema > newestSchema) {
    const known = `this release knows ${newestSchema} and older`;
    throw new DataError(`${name} is of a newer release: its schema is ${schema}, and ${known}`);
  }
  if (objects.length === mostObjects) throw new DataError(`${notOurs}: it has ${mostObjects} tables or more`);
  const made = new Set(objects.map(textOf));
  const missing = objectsOf(schema).filter((it) => !made.has(textOf(it)));
  if (missing.length > 0) {
    const names = named(missing.map((it) => String(it.name)));
    throw new DataError(`${notOurs}: it has not what schema ${schema} makes: ${names}`);
  }
  const [health = [], count] = await ask(['PRAGMA integrity_check(1)'], ['SELECT count(*) FROM users']);
  const [found] = health.map(firstValue);
  if (found !== 'ok') throw new DataError(`${name} is damaged: ${String(found).replaceAll('\n', ' ')}`);
  return { users: numberIn(count), schema, foreign: objects.flatMap(foreignIn) };
}

/** A minute, and a second more for each megabyte, as far as a timer goes. */
const mostMsFor = (bytes: number) => Math.min(60_000 + Math.ceil(bytes / 1_000), 2 ** 31 - 1);

/** Far more than people add. */
const mostObjects = 1_000;

/** Some names are enough to begin with. */
export function named(names: readonly string[]): string {
  return names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');
}

/**
 * Those that SQLite makes by itself have no text. What a text makes, and not what is said of it, is what a server gets.
 */
const objectsSql = `SELECT substr(name, 1, 100) AS name, substr(sql, 1, 10000) AS sql
  FROM sqlite_schema WHERE sql IS NOT NULL LIMIT ${mostObjects}`;

/** What the steps make for a version. */
function objectsOf(version: number): readonly Row[] {
  using db = new DatabaseSync(':memory:');
  makeSchema(db, version);
  return db.prepare(objectsSql).all();
}

/** The text that makes it, whatever space it was written with. */
const textOf = ({ sql }: Row) =>
  String(sql)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([(),]) ?/g, '$1');

/** `trigger NAME`, or nothing for tables and indexes. */
function foreignIn({ name, sql }: Row): string[] {
  const text = String(sql);
  if (/^CREATE (TABLE|INDEX|UNIQUE INDEX) /.test(text)) return [];
  const [, kind = 'something'] = /^CREATE (TRIGGER|VIEW|VIRTUAL TABLE) /.exec(text) ?? [];
  return [`${kind.toLowerCase()} ${String(name)}`];
}

const firstValue = (row: Row | undefined): unknown => row && Object.values(row)[0];
const numberIn = (rows: readonly Row[] | undefined) => Number(firstValue(rows?.[0]));
