import assert from 'node:assert/strict';
import type {
  RequestKey,
  SignUpResult,
  StoredUser,
  UserStore,
  Wanted,
} from '../../../functions/users/store.ts';

/** Data of one test: empty at first, and gone when removed. */
export interface StoreFixture {
  /** Opens a store on the data; a second one where `shared` stands for a second server. */
  readonly open: (now?: () => number) => Promise<UserStore> | UserStore;
  /** Closes nothing. */
  readonly remove: () => Promise<void> | void;
}

/** What the suite has to know of a store. */
export interface StoreContract {
  readonly name: string;
  readonly fixture: () => Promise<StoreFixture> | StoreFixture;
  /** Whether several stores may be open on the same data, and it outlives them. */
  readonly shared: boolean;
  /** Users to sign up before 10,000 are read: fewer where a write takes long. */
  readonly usersToRead: number;
}

/** What the parts of the suite are given. */
export interface Suite extends StoreContract {
  /** Opens a store on data of its own, and releases both after use. */
  readonly withStore: (
    use: (store: UserStore, data: StoreFixture) => Promise<void>,
    now?: () => number,
  ) => Promise<void>;
}

/** For how long the tests' request ids are remembered. */
export const ttlMs = 1000 * 60;
/** A signal that nobody aborts. */
export const unbounded = new AbortController().signal;

/** Asks for a user by name. */
export const byName = (username: string): Wanted => ({ username, userId: 0 });
/** Asks for a user by id. */
export const byId = (userId: number): Wanted => ({ username: '', userId });

/** A request id made of a number. */
export function requestKey(number: number, nowMs = Date.now(), fingerprint = 'content'): RequestKey {
  const id = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  return { id, fingerprint, expiresAtMs: nowMs + ttlMs };
}

/** How many results there are of each kind. */
export function outcomes(results: readonly SignUpResult[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of results) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

/** Looks one user up. */
export async function one(store: UserStore, wanted: Wanted): Promise<StoredUser | undefined> {
  const [user, ...others] = await store.find([wanted], unbounded);
  assert.equal(others.length, 0);
  return user;
}
