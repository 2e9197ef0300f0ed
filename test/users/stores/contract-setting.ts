import assert from 'node:assert/strict';
import type {
  Account,
  RequestKey,
  StoredUser,
  UserKey,
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
export function outcomes(results: readonly { readonly outcome: string }[]): Record<string, number> {
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

/** An account without the properties that are `undefined`, which stores may leave out. */
export function plain({ username, userId, email, passwordHash, createdAtMs, etag }: Account): Account {
  return {
    username,
    userId,
    etag,
    ...(email !== undefined && { email }),
    ...(passwordHash !== undefined && { passwordHash }),
    ...(createdAtMs !== undefined && { createdAtMs }),
  };
}

/** Reads a user who must be there. */
export async function kept(store: UserStore, key: UserKey): Promise<Account> {
  const account = await store.account(key, unbounded);
  return plain(account ?? assert.fail(`nobody is ${JSON.stringify(key)}`));
}

/** Whom a store knows by a key. */
export async function idOf(store: UserStore, key: UserKey): Promise<number | undefined> {
  return (await store.account(key, unbounded))?.userId;
}

/** Signs up a user who must be new, and returns all that is kept. */
export async function signedUp(
  store: UserStore,
  signUp: Parameters<UserStore['signUp']>[0],
): Promise<Account> {
  assert.deepEqual(await store.signUp(signUp, unbounded), {
    outcome: 'created',
    user: { username: signUp.username, userId: signUp.userId },
  });
  return kept(store, { userId: signUp.userId });
}

/** Lends two servers with the same data, or one twice where a store can't have two. */
export function atServers(
  suite: Suite,
  use: (at: (call: number) => UserStore) => Promise<void>,
): Promise<void> {
  return suite.withStore(async (store, data) => {
    const other = suite.shared ? await data.open() : store;
    try {
      await use((call) => (call % 2 ? other : store));
    } finally {
      if (other !== store) await other.close();
    }
  });
}

/**
 * Reads all pages of a listing, and checks what holds of each: its size, its order, that the next one is further on.
 */
export async function listed(
  store: UserStore,
  { prefix = '', maxUsers = 100 }: { prefix?: string; maxUsers?: number },
  between: () => Promise<void> | void = () => {},
): Promise<string[]> {
  const names: string[] = [];
  for (let after = ''; ; ) {
    const { users, next } = await store.list({ prefix, after, maxUsers }, unbounded);
    assert.ok(users.length <= maxUsers);
    for (const { username } of users) {
      const before = names.at(-1)?.toLowerCase() ?? '';
      assert.ok(username.toLowerCase() > before, `${username} is not after ${before}`);
      names.push(username);
    }
    if (next === undefined) return names;
    assert.ok(next > after && next >= (names.at(-1)?.toLowerCase() ?? ''), `${next} is behind`);
    after = next;
    await between();
  }
}

/** All that `all` has of everybody. */
export async function everybody(store: UserStore, signal = unbounded): Promise<Account[]> {
  const accounts: Account[] = [];
  for await (const some of store.all(signal)) accounts.push(...some.map(plain));
  return accounts;
}
