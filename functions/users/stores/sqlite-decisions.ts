import { randomInt } from 'node:crypto';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  type Account,
  type Change,
  type ChangeResult,
  firstEtag,
  type Removal,
  type RequestKey,
  type SignUp,
  type SignUpResult,
  StoreError,
  type UserKey,
} from '../store.ts';
import { folded } from './folded.ts';
import { keyOf, type SqliteReads } from './sqlite-reads.ts';

/**
 * Decides what is asked, and writes it. All of them run inside a transaction, which keeps other processes from writing:
 * what is found free stays free.
 *
 * They throw a StoreError if the file does not take what is written, such as by a trigger of others: then nothing of
 * the transaction may be committed.
 */
export interface SqliteDecisions {
  signUp(signUp: SignUp, nowMs: number): SignUpResult;
  change(change: Change, nowMs: number): ChangeResult;
  remove(removal: Removal, nowMs: number): boolean;
  /** Forgets request ids and holds that have expired, at most so many of each. */
  forgetExpired(nowMs: number, atMost: number): void;
  /**
   * Writes what a sign-up writes, and takes it back: nobody sees it, and the pages that it has touched are synced all
   * the same. A full disk, or a file that is gone, fails here as it fails there.
   */
  writeAndTakeBack(nowMs: number): void;
}

/** Prepares the statements. */
export function sqliteDecisions(db: DatabaseSync, reads: SqliteReads): SqliteDecisions {
  const insertUser = db.prepare(
    `INSERT INTO users (user_id, username, username_key, email, email_key, password_hash, created_at_ms, etag)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const updateUser = db.prepare(
    `UPDATE users SET username = ?, username_key = ?, email = ?, email_key = ?, password_hash = ?, etag = ?
     WHERE user_id = ?`,
  );
  const updateButKey = db.prepare(
    'UPDATE users SET username = ?, username_key = ?, email = ?, password_hash = ?, etag = ? WHERE user_id = ?',
  );
  const deleteUser = db.prepare('DELETE FROM users WHERE user_id = ?');
  // One that has expired may still be there; the same of holds.
  const insertRequest = db.prepare(
    'INSERT OR REPLACE INTO requests (request_id, fingerprint, user_id, expires_at_ms) VALUES (?, ?, ?, ?)',
  );
  const insertHold = db.prepare('INSERT OR REPLACE INTO holds (kind, key, held_until_ms) VALUES (?, ?, ?)');
  const forgetRequests = db.prepare(
    `DELETE FROM requests WHERE request_id IN
       (SELECT request_id FROM requests WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?)`,
  );
  const forgetHolds = db.prepare(
    `DELETE FROM holds WHERE (kind, key) IN
       (SELECT kind, key FROM holds WHERE held_until_ms <= ? ORDER BY held_until_ms LIMIT ?)`,
  );

  const etagOf = (etag: string) => (etag === firstEtag ? null : etag);

  function remember(request: RequestKey | undefined, userId: number): void {
    if (request) write(insertRequest, request.id, request.fingerprint, userId, request.expiresAtMs);
  }

  /** The account as a change or a removal has read it, if it still is, or whatever it is now if that is as well. */
  function before(from: Account, latest: UserKey | undefined): Account | undefined {
    const now = reads.account(latest ?? { userId: from.userId });
    const isMeant = latest ? now?.userId === from.userId : now?.etag === from.etag;
    return isMeant ? now : undefined;
  }

  function signUp(signUp: SignUp, nowMs: number): SignUpResult {
    const { userId, username, email, request, etag = firstEtag } = signUp;
    const first = request && reads.request(request.id, nowMs);
    if (first) {
      if (first.fingerprint !== request.fingerprint) return { outcome: 'request_id_reused' };
      return { outcome: 'repeated', user: { username, userId: first.userId } };
    }
    const refusal = reads.refusal({ username, email }, nowMs);
    if (refusal) return { outcome: refusal };
    if (reads.isUserId(userId)) return { outcome: 'user_id_taken' };
    const names = [userId, username, folded(username), email ?? null, keyOf(email)];
    write(insertUser, ...names, signUp.passwordHash ?? null, signUp.createdAtMs ?? null, etagOf(etag));
    remember(request, userId);
    return { outcome: 'created', user: { username, userId } };
  }

  return {
    signUp,
    change({ from, latest, etag, request, ...changed }, nowMs) {
      if (request && reads.request(request.id, nowMs)) return { outcome: 'request_id_known' };
      const old = before(from, latest);
      if (!old) return { outcome: 'outdated' };
      const {
        username = old.username,
        email = old.email ?? null,
        passwordHash = old.passwordHash ?? null,
      } = changed;
      const account: Account = {
        ...old,
        username,
        email: email ?? undefined,
        passwordHash: passwordHash ?? undefined,
        etag,
      };
      // An upgrade may have left it with an address, and a key, that another has too.
      const isOwnEmail = email !== null && keyOf(email) === keyOf(old.email);
      const wanted = isOwnEmail ? { username } : account;
      const refusal = reads.refusal(wanted, nowMs, from.userId);
      if (refusal) return { outcome: refusal };
      const names: SQLInputValue[] = [username, folded(username), email];
      const { userId } = from;
      if (isOwnEmail) write(updateButKey, ...names, passwordHash, etagOf(etag), userId);
      else write(updateUser, ...names, keyOf(account.email), passwordHash, etagOf(etag), userId);
      remember(request, userId);
      return { outcome: 'changed', account };
    },
    remove({ from, latest, heldUntilMs }, nowMs) {
      const old = before(from, latest);
      if (!old) return false;
      write(deleteUser, from.userId);
      if (heldUntilMs <= nowMs) return true;
      write(insertHold, 'name', folded(old.username), heldUntilMs);
      if (old.email !== undefined) write(insertHold, 'email', folded(old.email), heldUntilMs);
      return true;
    },
    forgetExpired(nowMs, atMost) {
      forgetRequests.run(nowMs, atMost);
      forgetHolds.run(nowMs, atMost);
    },
    writeAndTakeBack(nowMs) {
      // Names and addresses are never empty. Where the id is somebody's, that one stays.
      const userId = randomInt(1, 2 ** 32);
      const { outcome } = signUp({ username: '', email: '', userId, passwordHash: hashLike }, nowMs);
      if (outcome === 'created') write(deleteUser, userId);
    },
  };
}

/** Writes, or removes, one row. */
function write(statement: StatementSync, ...values: SQLInputValue[]): void {
  const { changes } = statement.run(...values);
  if (changes === 1) return;
  throw new StoreError(
    `the users file has not taken what was written (${changes} rows instead of 1): does it have triggers of others?`,
    { retrySafe: false },
  );
}

/** As long as the hash of a password. */
const hashLike = '$'.repeat(97);
