import { randomInt } from 'node:crypto';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import {
  type Account,
  type Change,
  type ChangeResult,
  firstEtag,
  type Removal,
  type RequestKey,
  type SignUp,
  type SignUpResult,
} from '../store.ts';
import { folded } from './folded.ts';
import { keyOf, type SqliteReads } from './sqlite-reads.ts';

/**
 * Decides what is asked, and writes it. All of them run inside a transaction, which keeps other processes from writing:
 * what is found free stays free.
 */
export interface SqliteDecisions {
  signUp(signUp: SignUp, nowMs: number): SignUpResult;
  change(change: Change, nowMs: number): ChangeResult;
  remove(removal: Removal, nowMs: number): boolean;
  /** Forgets request ids and holds that have expired, at most so many of each. */
  forgetExpired(nowMs: number, atMost: number): void;
  /**
   * Writes what a sign-up writes, and takes it back: nobody sees it, and the pages that it has touched are synced all the
   * same. A full disk, or a file that is gone, fails here as it fails there.
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
    if (request) insertRequest.run(request.id, request.fingerprint, userId, request.expiresAtMs);
  }

  /** The account as a change or a removal has read it, if it still is. */
  function unchanged(from: Account): Account | undefined {
    const now = reads.account({ userId: from.userId });
    return now?.etag === from.etag ? now : undefined;
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
    if (reads.user({ username: '', userId })) return { outcome: 'user_id_taken' };
    const names = [userId, username, folded(username), email ?? null, keyOf(email)];
    insertUser.run(...names, signUp.passwordHash ?? null, signUp.createdAtMs ?? null, etagOf(etag));
    remember(request, userId);
    return { outcome: 'created', user: { username, userId } };
  }

  return {
    signUp,
    change({ from, etag, request, ...changed }, nowMs) {
      if (request && reads.request(request.id, nowMs)) return { outcome: 'request_id_known' };
      const before = unchanged(from);
      if (!before) return { outcome: 'outdated' };
      const {
        username = before.username,
        email = before.email ?? null,
        passwordHash = before.passwordHash ?? null,
      } = changed;
      const account: Account = {
        ...before,
        username,
        email: email ?? undefined,
        passwordHash: passwordHash ?? undefined,
        etag,
      };
      const refusal = reads.refusal(account, nowMs, from.userId);
      if (refusal) return { outcome: refusal };
      const names: SQLInputValue[] = [username, folded(username), email, keyOf(account.email)];
      updateUser.run(...names, passwordHash, etagOf(etag), from.userId);
      remember(request, from.userId);
      return { outcome: 'changed', account };
    },
    remove({ from, heldUntilMs }, nowMs) {
      const before = unchanged(from);
      if (!before) return false;
      deleteUser.run(from.userId);
      if (heldUntilMs <= nowMs) return true;
      insertHold.run('name', folded(before.username), heldUntilMs);
      if (before.email !== undefined) insertHold.run('email', folded(before.email), heldUntilMs);
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
      if (outcome === 'created') deleteUser.run(userId);
    },
  };
}

/** As long as the hash of a password. */
const hashLike = '$'.repeat(97);
