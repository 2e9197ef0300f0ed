/** A user as the stores keep it and as others may see it. */
export interface StoredUser {
  /** As its owner wrote it. */
  readonly username: string;
  /** A random number from 1 to 2^32 - 1. */
  readonly userId: number;
}

/** All that a store keeps of a user. */
export interface Account extends StoredUser {
  readonly email?: string | undefined;
  /** PHC string of the argon2id hash, parameters included. */
  readonly passwordHash?: string | undefined;
  /** When the user signed up, in ms since the epoch. Not known of those whom earlier releases stored. */
  readonly createdAtMs?: number | undefined;
  /** Another one after each change that the user's client asked for; `firstEtag` until then. */
  readonly etag: string;
}

/** The etag of a user who is as signed up. Stores need not keep it. */
export const firstEtag = 'first';

/** A sign-up that is valid: what is checked without a store has been checked. */
export interface SignUp {
  readonly username: string;
  /** The caller chooses it, and tries another if it is taken. */
  readonly userId: number;
  readonly email?: string;
  /** PHC string of the argon2id hash, parameters included. Never the password. */
  readonly passwordHash?: string;
  /** In ms since the epoch. */
  readonly createdAtMs?: number | undefined;
  /** Of a user who comes from another store. Default: `firstEtag`. */
  readonly etag?: string;
  /** With it, a repeat of the sign-up finds the first result. */
  readonly request?: RequestKey;
}

/** What makes a sign-up or a change repeatable for a while. */
export interface RequestKey {
  /** A UUID in lower case, or of a caller that is known, a digest that is its alone (`scopedRequestId`). */
  readonly id: string;
  /** Digest of the request's content (without the id): a repeat must have the same. */
  readonly fingerprint: string;
  /** When it may be forgotten, in ms since the epoch. */
  readonly expiresAtMs: number;
}

/** How a sign-up ended. Only `created` and `repeated` mean that the user is stored, durably. */
export type SignUpResult =
  | { readonly outcome: 'created'; readonly user: StoredUser }
  /** The request id was seen before with the same content: this is the first result, whatever became of the user. */
  | { readonly outcome: 'repeated'; readonly user: StoredUser }
  /** The request id was seen before with other content. */
  | { readonly outcome: 'request_id_reused' }
  | { readonly outcome: 'username_taken' }
  | { readonly outcome: 'email_taken' }
  | { readonly outcome: 'user_id_taken' };

/** What is known of a sign-up before its password is hashed. */
export interface Candidate extends Pick<SignUp, 'username' | 'email'> {
  readonly requestId?: string;
}

/** Why a candidate can't be signed up. */
export type Refusal = Extract<SignUpResult['outcome'], 'username_taken' | 'email_taken'>;

/** Names one user. */
export type UserKey =
  | { readonly username: string }
  | { readonly userId: number }
  | { readonly email: string };

/** Whom a change or a removal is of. */
export interface Target {
  /** The user as it was read. If its etag is another by now, nothing is done. */
  readonly from: Account;
  /**
   * If given, the etag does not matter: the last one wins, of those who ask for the user of `from` and name it so. A
   * store may compare the etag all the same; then another try may do.
   */
  readonly latest?: UserKey | undefined;
}

/** A change of a user that is valid. What is `undefined` stays; `null` removes. */
export interface Change extends Target {
  /** The etag afterwards. The same as before where the user's client sees no change, as when a hash is made anew. */
  readonly etag: string;
  readonly username?: string | undefined;
  readonly email?: string | null | undefined;
  readonly passwordHash?: string | null | undefined;
  /** With it, a repeat of the change finds that it was made. */
  readonly request?: RequestKey | undefined;
}

/** How a change ended. Only `changed` means that it is stored, durably. */
export type ChangeResult =
  | { readonly outcome: 'changed'; readonly account: Account }
  | { readonly outcome: Refusal }
  /** The user is not as it was read, or gone. */
  | { readonly outcome: 'outdated' }
  /** The request id was seen in the meantime: `recall` says with what. */
  | { readonly outcome: 'request_id_known' };

/** What is known of a request id. */
export interface KnownRequest {
  readonly fingerprint: string;
  /** The user whom the request made or changed. */
  readonly userId: number;
}

/** A removal of a user that is valid. */
export interface Removal extends Target {
  /** Until when name and e-mail address stay taken, in ms since the epoch. In the past: they are free at once. */
  readonly heldUntilMs: number;
}

/** Which users to list: those whose folded names begin with `prefix`, in the order of these names. */
export interface Listing {
  /** Folded; empty for all. */
  readonly prefix: string;
  /** `next` of the page before; empty for the first. */
  readonly after: string;
  readonly maxUsers: number;
}

/** A page of users. */
export interface Page {
  readonly users: readonly StoredUser[];
  /**
   * What the next page comes after: a folded name, or the beginning of one and `~`, which is greater than all that
   * names are made of. `undefined`: there is no next page. A page may have less than `maxUsers` and yet a next.
   */
  readonly next?: string | undefined;
}

/** Which user to look for: by `username` if that is not empty, else by `userId`. */
export interface Wanted {
  readonly username: string;
  readonly userId: number;
}

/** What a store is, by OpenTelemetry's names of databases (https://opentelemetry.io/docs/specs/semconv/database/). */
export type StoreSystem = 'sqlite' | 'aws.dynamodb' | 'memory';

/** Is told what a store does that its callers do not see. It must not throw. */
export interface StoreEvents {
  /** A request is sent once more. */
  retried(system: StoreSystem): void;
  /** A request was refused, in whole or in part, because there are too many. */
  throttled(system: StoreSystem): void;
  /**
   * A request is sent that reads for one call of the store, or for several.
   *
   * @param keys how many it reads
   * @param calls the signals that the store was given with these calls
   */
  readFor(system: StoreSystem, keys: number, calls: readonly AbortSignal[]): void;
}

/** Nobody wants to know. */
export const noEvents: StoreEvents = { retried() {}, throttled() {}, readFor() {} };

/**
 * Keeps users. Every store passes the contract suite in `test/users/stores/contract.ts`.
 *
 * A store that can't answer throws a `StoreError`; nothing else is thrown but the reason
 * of the given signal once it is aborted.
 */
export interface UserStore {
  readonly system: StoreSystem;
  /**
   * Finds by a cheap read why `signUp` would refuse a candidate, so that no password is hashed in vain: its user name,
   * else its email, is taken. It reserves nothing: `signUp` still decides. It never refuses a candidate whose request
   * id is known, since that may be a repeat, not even while the first one is being stored.
   */
  precheck(candidate: Candidate, signal: AbortSignal): Promise<Refusal | undefined>;
  /**
   * Stores a user if name, email, id and request id allow it: all of it or nothing, decided in this order:
   * request id, user name, email, user id. Once the signal is aborted nothing new is begun; a write that
   * was under way may have happened, and a repeat with the same request id finds it.
   */
  signUp(signUp: SignUp, signal: AbortSignal): Promise<SignUpResult>;
  /** Finds all that is kept of one user. It takes as long for a user who is not there. */
  account(key: UserKey, signal: AbortSignal): Promise<Account | undefined>;
  /**
   * Changes a user if etag, name, email and request id allow it: all of it or nothing, decided in this order: request
   * id, etag, user name, email. A name that differs only in case from the user's own is its own. Once the signal is
   * aborted nothing new is begun; a write that was under way may have happened, and `recall` knows it by its request
   * id.
   */
  change(change: Change, signal: AbortSignal): Promise<ChangeResult>;
  /** What is known of a request id, of a sign-up or of a change. */
  recall(requestId: string, signal: AbortSignal): Promise<KnownRequest | undefined>;
  /**
   * Removes a user, all of it or nothing. Of name and email remains that they are taken, until `heldUntilMs`; request
   * ids stay known until they expire.
   *
   * @returns whether it is gone; `false` if it is not as it was read
   */
  remove(removal: Removal, signal: AbortSignal): Promise<boolean>;
  /** Reads one page of users, without reading what is not on it. It may be a moment behind. */
  list(listing: Listing, signal: AbortSignal): Promise<Page>;
  /**
   * All accounts, each once, in any order, some at a time; for a copy. One who is signed up, changed or removed
   * meanwhile may be among them or not.
   */
  all(signal: AbortSignal): AsyncIterable<readonly Account[]>;
  /** Looks up at most `limits.readChunkUsers` users; the answer has one place for each, in the same order. */
  find(wanted: readonly Wanted[], signal: AbortSignal): Promise<readonly (StoredUser | undefined)[]>;
  /**
   * Tries whether users can be signed up and found, as cheaply as that can be known, and leaves nothing behind. It
   * resolves if so. It is asked while calls fail, to learn when that is over.
   */
  probe(signal: AbortSignal): Promise<void>;
  /** Releases everything. Calls under way finish first. */
  close(): Promise<void>;
}

/** The store can't answer now. `retrySafe` says that the call changed nothing or may be repeated. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly retrySafe: boolean;
  /** After how long a retry makes sense, in ms. */
  readonly retryAfterMs: number;
  /** Whether nothing is out of order: the store has more to do than it can. */
  readonly isOverload: boolean;

  constructor(
    message: string,
    init: { retrySafe: boolean; retryAfterMs?: number; isOverload?: boolean; cause?: unknown },
  ) {
    super(message, { cause: init.cause });
    this.retrySafe = init.retrySafe;
    this.isOverload = init.isOverload ?? false;
    this.retryAfterMs = init.retryAfterMs ?? 100;
  }
}
