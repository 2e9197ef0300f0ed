import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { firstEtag } from '../../functions/users/store.ts';
import type { Kept } from './kept.ts';

/** Each finds rows that do not belong together; none is right. */
const faults = {
  'an index that is not of its name': 'SELECT * FROM users WHERE username_key IS NOT lower(username)',
  'an index that is not of its address': 'SELECT * FROM users WHERE email_key IS NOT lower(email)',
  'a user without a time': 'SELECT * FROM users WHERE created_at_ms IS NULL',
  'a name that is both owned and held': `SELECT * FROM users JOIN holds ON kind = 'name' AND key = username_key`,
  'an address that is both owned and held': `SELECT * FROM users JOIN holds ON kind = 'email' AND key = email_key`,
  'a request id without an end': "SELECT * FROM requests WHERE expires_at_ms <= 0 OR fingerprint = ''",
};

/**
 * Reads a copy of the users file, so that its log is left to the server to recover. Fails where its parts do not belong
 * together.
 */
export function keptInSqlite(folder: string): Kept {
  const copy = `${folder}-copy`;
  cpSync(folder, copy, { recursive: true });
  try {
    using db = new DatabaseSync(join(copy, 'users.sqlite'));
    const rows = (sql: string) => db.prepare(sql).all();
    assert.deepEqual(rows('PRAGMA integrity_check').map(Object.values), [['ok']]);
    for (const [what, sql] of Object.entries(faults)) assert.deepEqual(rows(sql), [], what);
    const users = rows('SELECT * FROM users').map((row) => ({
      userId: Number(row.user_id),
      username: String(row.username),
      email: textOf(row.email),
      passwordHash: textOf(row.password_hash),
      createdAtMs: Number(row.created_at_ms),
      etag: textOf(row.etag) ?? firstEtag,
    }));
    return {
      users: new Map(users.map((user) => [user.userId, user])),
      holds: new Set(rows('SELECT * FROM holds').map(({ kind, key }) => `${kind} ${key}`)),
      requests: new Map(
        rows('SELECT * FROM requests').map((row) => [String(row.request_id), Number(row.user_id)]),
      ),
    };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const textOf = (value: unknown) => (value === null ? undefined : String(value));
