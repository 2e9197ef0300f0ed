import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Account, StoreError, type UserStore } from '../store.ts';
import { fault } from './sqlite-errors.ts';
import { accountOf, inBatches } from './sqlite-reads.ts';
import { versionOf } from './sqlite-schema.ts';

/** What can be read of a users file without changing it. */
export interface SqliteExport extends Pick<UserStore, 'all'>, Disposable {}

/** How long a read waits while another process opens or closes the file. */
const busyTimeoutMs = 5_000;

/** By the version of the schema. A server may upgrade the file at any time. */
const columns = {
  1: 'user_id, username, email, password_hash, NULL AS created_at_ms, NULL AS etag',
  2: 'user_id, username, email, password_hash, created_at_ms, etag',
};

/**
 * Opens a users file to copy its users, whatever release has made it, while servers use it. It is not changed, nor
 * upgraded: the servers may be of an older release.
 *
 * @throws StoreError if it is not there, or not a users file that this release knows
 */
export function readSqliteFile(path: string): SqliteExport {
  const file = resolve(path);
  let db: DatabaseSync | undefined;

  /** Reads in one transaction, which sees one schema. */
  function accountsAfter(from: DatabaseSync, userId: number, most: number): Account[] {
    from.exec('BEGIN');
    try {
      const version = versionOf(from);
      if (version < 1) throw new Error('it is not a file of users');
      const sql = `SELECT ${columns[version === 1 ? 1 : 2]} FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?`;
      return from.prepare(sql).all(userId, most).map(accountOf);
    } finally {
      from.exec('ROLLBACK');
    }
  }

  try {
    const open = new DatabaseSync(file, { readOnly: true, timeout: busyTimeoutMs });
    db = open;
    accountsAfter(open, 0, 1);
    return {
      all: (signal) =>
        inBatches(async (lastId, most) => {
          signal.throwIfAborted();
          try {
            return accountsAfter(open, lastId, most);
          } catch (cause) {
            throw fault('read users', cause, true);
          }
        }),
      [Symbol.dispose]: () => open.close(),
    };
  } catch (cause) {
    db?.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(`cannot read the users file ${file}: ${reason}`, { retrySafe: true, cause });
  }
}
