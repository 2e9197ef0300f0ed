import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import {
  type Account,
  type Candidate,
  firstEtag,
  type KnownRequest,
  type Listing,
  type Page,
  type Refusal,
  type StoredUser,
  type UserKey,
  type Wanted,
} from '../store.ts';
import { folded } from './folded.ts';

/** What is read from the users file, by one statement each: it sees one state of the file. */
export interface SqliteReads {
  /**
   * One place for each, in the same order, by one statement for names and one for ids. A statement locks the file,
   * which costs twice what finding a user does.
   */
  users(wanted: readonly Wanted[]): (StoredUser | undefined)[];
  isUserId(userId: number): boolean;
  account(key: UserKey): Account | undefined;
  /** At most so many accounts, by user id, after one. */
  accountsAfter(userId: number, maxAccounts: number): Account[];
  request(requestId: string, nowMs: number): KnownRequest | undefined;
  /**
   * Why a candidate can't be signed up, in the order of the contract; none if its request id is known.
   *
   * @param ownerId the user whose own name and address stand in nobody's way. Default: nobody
   */
  refusal(candidate: Candidate, nowMs: number, ownerId?: number): Refusal | undefined;
  page(listing: Listing): Page;
}

type Row = Record<string, SQLOutputValue>;
type UserRow = { readonly user_id?: unknown; readonly username?: unknown };

const accountColumns = 'user_id, username, email, password_hash, created_at_ms, etag';

/** Prepares the statements. */
export function sqliteReads(db: DatabaseSync): SqliteReads {
  // json_each has a row for each key (https://sqlite.org/json1.html#jeach), and what is left of LEFT JOIN is the outer
  // loop: one row for each, in their order. A key that is NULL finds nobody. A list of parameters would need a
  // statement for each length.
  const usersOfNames = db.prepare(
    `SELECT u.user_id, u.username FROM json_each(?) AS wanted LEFT JOIN users AS u ON u.username_key = wanted.value`,
  );
  const usersOfIds = db.prepare(
    `SELECT u.user_id, u.username FROM json_each(?) AS wanted LEFT JOIN users AS u ON u.user_id = wanted.value`,
  );
  // An object for each row costs more than to read it.
  for (const statement of [usersOfNames, usersOfIds]) statement.setReturnArrays(true);
  const userId = db.prepare('SELECT user_id FROM users WHERE user_id = ?');
  const accountByName = db.prepare(`SELECT ${accountColumns} FROM users WHERE username_key = ?`);
  const accountById = db.prepare(`SELECT ${accountColumns} FROM users WHERE user_id = ?`);
  const accountByEmail = db.prepare(`SELECT ${accountColumns} FROM users WHERE email_key = ?`);
  const accountsById = db.prepare(
    `SELECT ${accountColumns} FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?`,
  );
  const requestById = db.prepare(
    'SELECT fingerprint, user_id FROM requests WHERE request_id = ? AND expires_at_ms > ?',
  );
  // ?1 request id, ?2 now, ?3 name, ?4 address, ?5 the owner. Of two repeats, the first takes its own name.
  const refusalOf = db.prepare(
    `SELECT CASE
       WHEN EXISTS (SELECT 1 FROM requests WHERE request_id = ?1 AND expires_at_ms > ?2) THEN NULL
       WHEN EXISTS (SELECT 1 FROM users WHERE username_key = ?3 AND user_id <> ?5)
         OR EXISTS (SELECT 1 FROM holds WHERE kind = 'name' AND key = ?3 AND held_until_ms > ?2)
         THEN 'username_taken'
       WHEN EXISTS (SELECT 1 FROM users WHERE email_key = ?4 AND user_id <> ?5)
         OR EXISTS (SELECT 1 FROM holds WHERE kind = 'email' AND key = ?4 AND held_until_ms > ?2)
         THEN 'email_taken'
     END AS refusal`,
  );
  const usersByName = db.prepare(
    `SELECT user_id, username, username_key FROM users WHERE username_key >= ? AND username_key < ?
     ORDER BY username_key LIMIT ?`,
  );

  return {
    users(wanted) {
      const names = wanted.map(({ username }) => (username === '' ? null : folded(username)));
      const byName = found(usersOfNames, names);
      if (!names.includes(null)) return byName;
      const ids = wanted.map(({ username, userId }) => (username === '' ? userId : null));
      const byId = found(usersOfIds, ids);
      return byId.map((user, place) => user ?? byName[place]);
    },
    isUserId: (id) => userId.get(id) !== undefined,
    account(key) {
      const row =
        'username' in key
          ? accountByName.get(folded(key.username))
          : 'email' in key
            ? accountByEmail.get(folded(key.email))
            : accountById.get(key.userId);
      return row && accountOf(row);
    },
    accountsAfter: (userId, maxAccounts) => accountsById.all(userId, maxAccounts).map(accountOf),
    request(requestId, nowMs) {
      const row = requestById.get(requestId, nowMs);
      return row && { fingerprint: String(row.fingerprint), userId: Number(row.user_id) };
    },
    refusal({ username, email, requestId }, nowMs, ownerId = 0) {
      const keys: SQLInputValue[] = [requestId ?? null, nowMs, folded(username), keyOf(email), ownerId];
      const refusal = refusalOf.get(...keys)?.refusal;
      return refusal === 'username_taken' || refusal === 'email_taken' ? refusal : undefined;
    },
    page({ prefix, after, maxUsers }) {
      // The text after another, in SQLite's order of bytes, is that with a zero; the greatest character ends a prefix.
      const from = after < prefix ? prefix : `${after}\0`;
      const rows = usersByName.all(from, `${prefix}\u{10FFFF}`, maxUsers);
      const next = rows.length < maxUsers ? undefined : rows.at(-1)?.username_key;
      return { users: rows.map(userOf), next: textOf(next) };
    },
  };
}

/** What makes an address the same one as another; NULL, which equals nothing, where there is none. */
export function keyOf(email: string | undefined): string | null {
  return email === undefined ? null : folded(email);
}

/** The users of some keys, by a statement that has a row for each. */
function found(
  statement: StatementSync,
  keys: readonly (string | number | null)[],
): (StoredUser | undefined)[] {
  // Its rows are arrays, which the types of `all` don't know.
  const rows: unknown[] = statement.all(JSON.stringify(keys));
  return rows.map((row) => {
    if (!Array.isArray(row)) throw new Error('a row is not an array');
    const [id, username]: unknown[] = row;
    return id === null ? undefined : userOf({ user_id: id, username });
  });
}

function userOf({ username, user_id: userId }: UserRow): StoredUser {
  if (typeof username !== 'string' || typeof userId !== 'number') throw new Error('a row is not a user');
  return { username, userId };
}

/** The account of a row with its columns. */
export function accountOf(row: Row): Account {
  const { created_at_ms: createdAtMs } = row;
  return {
    ...userOf(row),
    email: textOf(row.email),
    passwordHash: textOf(row.password_hash),
    createdAtMs: typeof createdAtMs === 'number' ? createdAtMs : undefined,
    etag: textOf(row.etag) ?? firstEtag,
  };
}

function textOf(value: SQLOutputValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** How many accounts a copy gets at a time: some milliseconds of work. */
const accountsPerBatch = 500;

/** All accounts by user id, so many at a time, as `accountsAfter` gives them. Throws what that throws. */
export async function* inBatches(
  accountsAfter: (userId: number, maxAccounts: number) => Promise<readonly Account[]>,
): AsyncGenerator<readonly Account[], void, undefined> {
  for (let lastId = 0; ; ) {
    const accounts = await accountsAfter(lastId, accountsPerBatch);
    if (accounts.length > 0) yield accounts;
    if (accounts.length < accountsPerBatch) return;
    lastId = accounts.at(-1)?.userId ?? 0;
  }
}
