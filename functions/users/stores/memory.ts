import { limits as defaultLimits, type Limits } from '../../limits.ts';
import {
  type Candidate,
  type Refusal,
  type RequestKey,
  type SignUp,
  type SignUpResult,
  type StoredUser,
  StoreError,
  type UserStore,
} from '../store.ts';
import { folded } from './folded.ts';

/** How to set up a store in memory. */
export interface MemoryStoreOptions {
  /** Default: the limits of the service. */
  readonly limits?: Pick<Limits, 'maxMemoryUsers'>;
  /** The time in ms since the epoch, for the expiry of request ids. Default: `Date.now`. */
  readonly now?: () => number;
}

interface Repeatable extends Omit<RequestKey, 'id'> {
  readonly user: StoredUser;
}

/**
 * Keeps users in this process alone, for tests and benchmarks: nothing is durable, and no other process sees them. It
 * decides as every store does, so tests compare the others with it.
 */
export function memoryStore(options: MemoryStoreOptions = {}): UserStore {
  const { limits = defaultLimits, now = Date.now } = options;
  const byName = new Map<string, StoredUser>();
  const byId = new Map<number, StoredUser>();
  const emails = new Set<string>();
  const requests = new Map<string, Repeatable>();
  let closed = false;

  function check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (closed) throw new StoreError('the store is closed', { retrySafe: true });
  }

  /**
   * A map keeps the order of insertion, which is that of expiry. Each sign-up adds one id, so forgetting two keeps up.
   */
  function forgetExpired(nowMs: number): void {
    let budget = 2;
    for (const [id, { expiresAtMs }] of requests) {
      if (expiresAtMs > nowMs || budget-- === 0) return;
      requests.delete(id);
    }
  }

  /** What is remembered of a request id. */
  function known(id: string | undefined, nowMs: number): Repeatable | undefined {
    const first = id === undefined ? undefined : requests.get(id);
    return first && first.expiresAtMs > nowMs ? first : undefined;
  }

  function refusalOf({ username, email }: Candidate): Refusal | undefined {
    if (byName.has(folded(username))) return 'username_taken';
    if (email !== undefined && emails.has(folded(email))) return 'email_taken';
    return undefined;
  }

  function checkRoom(): void {
    if (byId.size < limits.maxMemoryUsers) return;
    throw new StoreError(`the store in memory is full: it takes ${limits.maxMemoryUsers} users`, {
      retrySafe: false,
    });
  }

  function decide(signUp: SignUp): SignUpResult {
    const nowMs = now();
    forgetExpired(nowMs);
    const { request } = signUp;
    const first = request && known(request.id, nowMs);
    if (first) {
      if (first.fingerprint !== request.fingerprint) return { outcome: 'request_id_reused' };
      return { outcome: 'repeated', user: first.user };
    }
    const refusal = refusalOf(signUp);
    if (refusal) return { outcome: refusal };
    if (byId.has(signUp.userId)) return { outcome: 'user_id_taken' };
    checkRoom();
    const user: StoredUser = { username: signUp.username, userId: signUp.userId };
    byName.set(folded(user.username), user);
    byId.set(user.userId, user);
    if (signUp.email !== undefined) emails.add(folded(signUp.email));
    if (request) {
      requests.delete(request.id); // an expired id would keep its old place
      requests.set(request.id, { fingerprint: request.fingerprint, expiresAtMs: request.expiresAtMs, user });
    }
    return { outcome: 'created', user };
  }

  return {
    system: 'memory',
    async precheck(candidate, signal) {
      check(signal);
      return known(candidate.requestId, now()) ? undefined : refusalOf(candidate);
    },
    async signUp(signUp, signal) {
      check(signal);
      return decide(signUp);
    },
    async find(wanted, signal) {
      check(signal);
      return wanted.map(({ username, userId }) =>
        username === '' ? byId.get(userId) : byName.get(folded(username)),
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
