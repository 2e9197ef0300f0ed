import { limits as defaultLimits, type Limits } from '../../limits.ts';
import {
  type Account,
  type Candidate,
  type Change,
  type ChangeResult,
  firstEtag,
  type Refusal,
  type RequestKey,
  type SignUp,
  type SignUpResult,
  type StoredUser,
  StoreError,
  type Target,
  type UserKey,
  type UserStore,
} from '../store.ts';
import { folded } from './folded.ts';
import { sortedNames } from './sorted-names.ts';

/** How to set up a store in memory. */
export interface MemoryStoreOptions {
  /** Default: the limits of the service. */
  readonly limits?: Pick<Limits, 'maxMemoryUsers'>;
  /** The time in ms since the epoch, for what expires. Default: `Date.now`. */
  readonly now?: () => number;
}

interface KnownKey extends Omit<RequestKey, 'id'> {
  readonly userId: number;
}

/** How many accounts a copy gets at a time. */
const accountsPerBatch = 500;

/**
 * Keeps users in this process alone, for tests and benchmarks: nothing is durable, and no other process sees them. It
 * decides as every store does, so tests compare the others with it.
 */
export function memoryStore(options: MemoryStoreOptions = {}): UserStore {
  const { limits = defaultLimits, now = Date.now } = options;
  const byId = new Map<number, Account>();
  const byName = new Map<string, Account>();
  const byEmail = new Map<string, Account>();
  const names = sortedNames();
  /** Folded names and addresses of users who were removed, and until when they stay taken. */
  const heldNames = new Map<string, number>();
  const heldEmails = new Map<string, number>();
  const requests = new Map<string, KnownKey>();
  let closed = false;

  function check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (closed) throw new StoreError('the store is closed', { retrySafe: true });
  }

  /**
   * A map keeps the order of insertion, near enough to that of expiry. Each write adds one, so forgetting two keeps up.
   */
  function forgetExpired(nowMs: number): void {
    let budget = 2;
    for (const [id, { expiresAtMs }] of requests) {
      if (expiresAtMs > nowMs || budget-- === 0) break;
      requests.delete(id);
    }
    for (const held of [heldNames, heldEmails]) {
      budget = 2;
      for (const [key, untilMs] of held) {
        if (untilMs > nowMs || budget-- === 0) break;
        held.delete(key);
      }
    }
  }

  /** What is remembered of a request id. */
  function known(id: string | undefined, nowMs: number): KnownKey | undefined {
    const first = id === undefined ? undefined : requests.get(id);
    return first && first.expiresAtMs > nowMs ? first : undefined;
  }

  function remember(request: RequestKey | undefined, userId: number): void {
    if (request === undefined) return;
    requests.delete(request.id); // an expired id would keep its old place
    requests.set(request.id, { fingerprint: request.fingerprint, expiresAtMs: request.expiresAtMs, userId });
  }

  function hold(held: Map<string, number>, text: string, untilMs: number): void {
    held.delete(folded(text)); // as above
    held.set(folded(text), untilMs);
  }

  /** @param ownerId the user whose own name and address stand in nobody's way */
  function refusalOf({ username, email }: Candidate, nowMs: number, ownerId?: number): Refusal | undefined {
    const isTaken = (of: Map<string, Account>, held: Map<string, number>, key: string) => {
      const owner = of.get(key);
      return owner ? owner.userId !== ownerId : (held.get(key) ?? 0) > nowMs;
    };
    if (isTaken(byName, heldNames, folded(username))) return 'username_taken';
    if (email !== undefined && isTaken(byEmail, heldEmails, folded(email))) return 'email_taken';
    return undefined;
  }

  function checkRoom(): void {
    if (byId.size + heldNames.size < limits.maxMemoryUsers) return;
    throw new StoreError(`the store in memory is full: it takes ${limits.maxMemoryUsers} users`, {
      retrySafe: false,
    });
  }

  function put(account: Account): void {
    const name = folded(account.username);
    byId.set(account.userId, account);
    byName.set(name, account);
    names.add(name);
    if (account.email !== undefined) byEmail.set(folded(account.email), account);
  }

  function takeOut({ userId, username, email }: Account): void {
    const name = folded(username);
    byId.delete(userId);
    byName.delete(name);
    names.remove(name);
    if (email !== undefined) byEmail.delete(folded(email));
  }

  function decide(signUp: SignUp): SignUpResult {
    const nowMs = now();
    forgetExpired(nowMs);
    const { request, username, userId, email, passwordHash, createdAtMs, etag = firstEtag } = signUp;
    const first = known(request?.id, nowMs);
    if (first) {
      if (first.fingerprint !== request?.fingerprint) return { outcome: 'request_id_reused' };
      return { outcome: 'repeated', user: { username, userId: first.userId } };
    }
    const refusal = refusalOf(signUp, nowMs);
    if (refusal) return { outcome: refusal };
    if (byId.has(userId)) return { outcome: 'user_id_taken' };
    checkRoom();
    put({ username, userId, email, passwordHash, createdAtMs, etag });
    remember(request, userId);
    return { outcome: 'created', user: { username, userId } };
  }

  /** The account as a change or a removal has read it, if it still is, or whatever it is now if that is as well. */
  function beforeOf({ from, latest }: Target): Account | undefined {
    const account = accountOf(latest ?? { userId: from.userId });
    const isMeant = latest ? account?.userId === from.userId : account?.etag === from.etag;
    return isMeant ? account : undefined;
  }

  function decideChange({ etag, request, from, latest, ...changed }: Change): ChangeResult {
    const nowMs = now();
    forgetExpired(nowMs);
    if (known(request?.id, nowMs)) return { outcome: 'request_id_known' };
    const before = beforeOf({ from, latest });
    if (!before) return { outcome: 'outdated' };
    const { username = before.username, email = before.email, passwordHash = before.passwordHash } = changed;
    const account: Account = {
      ...before,
      username,
      email: email ?? undefined,
      passwordHash: passwordHash ?? undefined,
      etag,
    };
    const refusal = refusalOf(account, nowMs, before.userId);
    if (refusal) return { outcome: refusal };
    takeOut(before);
    put(account);
    remember(request, account.userId);
    return { outcome: 'changed', account };
  }

  function accountOf(key: UserKey): Account | undefined {
    if ('username' in key) return byName.get(folded(key.username));
    return 'email' in key ? byEmail.get(folded(key.email)) : byId.get(key.userId);
  }

  const shown = (account: Account | undefined): StoredUser | undefined =>
    account && { username: account.username, userId: account.userId };

  return {
    system: 'memory',
    async precheck(candidate, signal) {
      check(signal);
      const nowMs = now();
      return known(candidate.requestId, nowMs) ? undefined : refusalOf(candidate, nowMs);
    },
    async signUp(signUp, signal) {
      check(signal);
      return decide(signUp);
    },
    async account(key, signal) {
      check(signal);
      return accountOf(key);
    },
    async change(change, signal) {
      check(signal);
      return decideChange(change);
    },
    async recall(requestId, signal) {
      check(signal);
      const first = known(requestId, now());
      return first && { fingerprint: first.fingerprint, userId: first.userId };
    },
    async remove({ heldUntilMs, ...target }, signal) {
      check(signal);
      const nowMs = now();
      forgetExpired(nowMs);
      const before = beforeOf(target);
      if (!before) return false;
      takeOut(before);
      if (heldUntilMs <= nowMs) return true;
      hold(heldNames, before.username, heldUntilMs);
      if (before.email !== undefined) hold(heldEmails, before.email, heldUntilMs);
      return true;
    },
    async list({ prefix, after, maxUsers }, signal) {
      check(signal);
      const page = names.page(prefix, after, maxUsers);
      const users = page.map((name) => shown(byName.get(name))).filter((user) => user !== undefined);
      return { users, next: page.length < maxUsers ? undefined : page.at(-1) };
    },
    async *all(signal) {
      const accounts = [...byId.values()];
      for (let at = 0; at < accounts.length; at += accountsPerBatch) {
        check(signal);
        yield accounts.slice(at, at + accountsPerBatch);
      }
    },
    async find(wanted, signal) {
      check(signal);
      return wanted.map(({ username, userId }) =>
        shown(username === '' ? byId.get(userId) : byName.get(folded(username))),
      );
    },
    async probe(signal) {
      check(signal);
      checkRoom();
    },
    async close() {
      closed = true;
    },
  };
}
