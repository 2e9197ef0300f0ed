import { type Argon2Parameters, argon2, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Limits } from '../limits.ts';
import { Metrics, rpcError } from '../rpc/index.ts';
import { usersError } from './errors.ts';
import { fairQueue } from './fair-queue.ts';
import { formatPhc, type HashParameters, readPhc, tagBytes } from './phc.ts';

/**
 * The parameters of new hashes, and then all those that stored hashes may have. To raise them, put new ones in front:
 * each check takes the time of all of them together, and makes hashes of older ones anew.
 */
export type ParameterSets = readonly [HashParameters, ...HashParameters[]];

/** OWASP's first choice for argon2id (Password Storage Cheat Sheet). */
export const parameterSets: ParameterSets = [{ memoryKiB: 19_456, passes: 2, lanes: 1 }];

/** The length of a salt, in bytes. */
export const saltBytes = 16;

/** By then the whole queue is done, at some 20 ms of a core for each hash. */
const overloadRetryAfterMs = 1000;

/** Over how many hashes their usual time is taken. */
const usualOf = 8;

/** In seconds: a hash takes some 0.02 of an idle core. */
const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const argon2id = promisify<'argon2id', Argon2Parameters, Buffer>(argon2);

/** What hashing needs of the limits. */
export type HashLimits = Pick<Limits, 'maxConcurrentHashes' | 'maxQueuedHashes' | 'maxQueuedHashesPerClient'>;

/** The call that a password is hashed for. */
export interface HashCall {
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** The key of the client whose share of the queue it takes. Default: all have one share. */
  readonly client?: string;
  /** What is left of its time, in ms. Default: it has as long as it takes. */
  readonly leftMs?: number | undefined;
}

/** Hashes passwords, a bounded number at a time. */
export interface PasswordHasher {
  /**
   * Makes the PHC string of a password: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`. The same password and
   * salt make the same string.
   *
   * @param salt `saltBytes` bytes
   * @throws HASHING_OVERLOADED at once when the queue, or the client's share of it, is full; DEADLINE_EXCEEDED at once
   * when those that wait already take longer than what is left of the call's time; the signal's reason when
   * it is aborted: at once while waiting, else when the hash is done, since nothing stops argon2 once it runs
   */
  hash(password: string, salt: Uint8Array, call: HashCall): Promise<string>;
  /**
   * Checks a password against a stored hash. A wrong one takes as long without a hash, and with each that may be
   * stored: whatever it is, one tag is derived with each set of parameters.
   *
   * @param phc without one, or with anything that can't be read, no password is right
   * @throws as `hash` does; it takes one turn
   */
  check(password: string, phc: string | undefined, call: HashCall): Promise<PasswordCheck>;
}

/** What a check has found. */
export interface PasswordCheck {
  readonly isRight: boolean;
  /** The password, if it is right and its hash has older parameters, as a new hash with those of today. */
  readonly renewed?: string;
}

/**
 * Makes a hasher. It hashes few passwords at the same time, since each takes 19 MiB and a core: sign-ups are a means of
 * attack. It lets few wait, since a long queue outlasts the deadlines in it. Clients that wait are served in turn, one
 * password each, and none gets more than its share of the queue.
 *
 * @param metrics gets `users.passwords.queued`, `users.passwords.hashing` and `users.password.hash.duration`. Default:
 * nobody
 * @param sets the parameters of hashes. Default: today's, which is one set
 * @throws Error when these metrics are there already
 */
export function passwordHasher(
  limits: HashLimits,
  metrics: Metrics = new Metrics(),
  sets: ParameterSets = parameterSets,
): PasswordHasher {
  let running = 0;
  /** What a hash takes; zero until one is done. */
  let usualMs = 0;
  const queue = fairQueue<() => void>();
  const durations = metrics
    .histogram(
      'users.password.hash.duration',
      { description: 'How long hashing a password takes, once it has its turn', unit: 's' },
      durationBounds,
    )
    .of({});
  const inPasswords = (description: string) => ({ description, unit: '{password}' });
  metrics.gauge('users.passwords.queued', inPasswords('Passwords that wait for their turn'), queue.size);
  metrics.gauge('users.passwords.hashing', inPasswords('Passwords that are being hashed'), () => running);

  function waitForTurn({ signal, client = '' }: HashCall): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        queue.remove(client, begin);
        reject(signal.reason);
      };
      const begin = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      queue.add(client, begin);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  function hasRoomFor(client = ''): boolean {
    const { maxQueuedHashes, maxQueuedHashesPerClient } = limits;
    return queue.size() < maxQueuedHashes && queue.sizeOf(client) < maxQueuedHashesPerClient;
  }

  /** How long the hashes take that are waiting, before one that would wait behind them. */
  function waitMs(): number {
    return (queue.size() * usualMs) / limits.maxConcurrentHashes;
  }

  /** Hands the place to whoever is next, so that no newcomer takes it in between. */
  function leave(): void {
    const begin = queue.next();
    if (begin) begin();
    else running -= 1;
  }

  /** Works once there is a turn. */
  async function inTurn<T>(call: HashCall, work: () => Promise<T>): Promise<T> {
    const { signal } = call;
    signal.throwIfAborted();
    if (running < limits.maxConcurrentHashes) {
      running += 1;
    } else if (hasRoomFor(call.client)) {
      if (waitMs() > (call.leftMs ?? Number.POSITIVE_INFINITY)) throw rpcError('DEADLINE_EXCEEDED');
      await waitForTurn(call);
    } else {
      throw usersError('HASHING_OVERLOADED', { retryAfterMs: overloadRetryAfterMs });
    }
    try {
      signal.throwIfAborted(); // between the turn's call and here
      return await work();
    } finally {
      leave();
    }
  }

  async function derive(
    password: string,
    salt: Uint8Array,
    { memoryKiB, passes, lanes }: HashParameters,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const startedAtMs = performance.now();
    const tag = await argon2id('argon2id', {
      message: password,
      nonce: salt,
      memory: memoryKiB,
      passes,
      parallelism: lanes,
      tagLength: tagBytes,
    });
    const tookMs = performance.now() - startedAtMs;
    usualMs += (tookMs - usualMs) / usualOf;
    durations.record(tookMs / 1000);
    signal.throwIfAborted();
    return tag;
  }

  /** Takes the place of a hash that is not there. No password has its tag. */
  const nobodys = { parameters: sets[0], salt: randomBytes(saltBytes), tag: randomBytes(tagBytes) };
  const nobodysPhc = formatPhc(nobodys);

  async function newHash(password: string, salt: Uint8Array, signal: AbortSignal): Promise<string> {
    const [parameters] = sets;
    return formatPhc({ parameters, salt, tag: await derive(password, salt, parameters, signal) });
  }

  return {
    hash: (password, salt, call) => inTurn(call, () => newHash(password, salt, call.signal)),
    check: (password, phc = nobodysPhc, call) =>
      inTurn(call, async () => {
        const stored = readPhc(phc, sets);
        let isRight = false;
        for (const parameters of sets) {
          const { salt, tag } = stored?.parameters === parameters ? stored : nobodys;
          const derived = await derive(password, salt, parameters, call.signal);
          if (timingSafeEqual(derived, tag)) isRight = true;
        }
        // Text that is not well-formed has the UTF-8 of another one.
        if (!isRight || !password.isWellFormed()) return { isRight: false };
        if (stored?.parameters === sets[0]) return { isRight };
        return { isRight, renewed: await newHash(password, randomBytes(saltBytes), call.signal) };
      }),
  };
}

/**
 * The salt for the password of a request: with a request id it is derived, so that a repeat has the same hash; without
 * one it is random.
 *
 * @param purpose what else the request is about, such as the user name
 */
export function saltOf(requestId: string | undefined, purpose: string): Uint8Array {
  if (requestId === undefined) return randomBytes(saltBytes);
  const digest = hash('sha256', JSON.stringify(['users password salt', requestId, purpose]), 'buffer');
  return digest.subarray(0, saltBytes);
}
