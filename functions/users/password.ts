import { type Argon2Parameters, argon2, hash, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { Limits } from '../limits.ts';
import { Metrics } from '../rpc/index.ts';
import { usersError } from './errors.ts';
import { fairQueue } from './fair-queue.ts';

/**
 * OWASP's first choice for argon2id (Password Storage Cheat Sheet), over RFC 9106's sizes of salt and tag.
 * Each hash carries them, so they may grow without harm to stored hashes.
 */
const memoryKiB = 19_456;
const passes = 2;
const lanes = 1;
const tagBytes = 32;
/** The length of a salt, in bytes. */
export const saltBytes = 16;

/** By then the whole queue is done, at some 20 ms of a core for each hash. */
const overloadRetryAfterMs = 1000;

/** In seconds: a hash takes some 0.02 of an idle core. */
const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const derive = promisify<'argon2id', Argon2Parameters, Buffer>(argon2);

/** The call that a password is hashed for. */
export interface HashCall {
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** The key of the client whose share of the queue it takes. Default: all have one share. */
  readonly client?: string;
}

/** Hashes passwords, a bounded number at a time. */
export interface PasswordHasher {
  /**
   * Makes the PHC string of a password: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`. The same password and
   * salt make the same string.
   *
   * @param salt `saltBytes` bytes
   * @throws HASHING_OVERLOADED at once when the queue, or the client's share of it, is full; the signal's reason when
   * it is aborted: at once while waiting, else when the hash is done, since nothing stops argon2 once it runs
   */
  hash(password: string, salt: Uint8Array, call: HashCall): Promise<string>;
}

/**
 * Makes a hasher. It hashes few passwords at the same time, since each takes 19 MiB and a core: sign-ups are a means of
 * attack. It lets few wait, since a long queue outlasts the deadlines in it. Clients that wait are served in turn, one
 * password each, and none gets more than its share of the queue.
 *
 * @param metrics gets `users.passwords.queued`, `users.passwords.hashing` and `users.password.hash.duration`. Default:
 * nobody
 * @throws Error when these metrics are there already
 */
export function passwordHasher(
  limits: Pick<Limits, 'maxConcurrentHashes' | 'maxQueuedHashes' | 'maxQueuedHashesPerClient'>,
  metrics: Metrics = new Metrics(),
): PasswordHasher {
  let running = 0;
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

  /** Hands the place to whoever is next, so that no newcomer takes it in between. */
  function leave(): void {
    const begin = queue.next();
    if (begin) begin();
    else running -= 1;
  }

  return {
    async hash(password, salt, call) {
      const { signal } = call;
      signal.throwIfAborted();
      if (running < limits.maxConcurrentHashes) {
        running += 1;
      } else if (hasRoomFor(call.client)) {
        await waitForTurn(call);
      } else {
        throw usersError('HASHING_OVERLOADED', { retryAfterMs: overloadRetryAfterMs });
      }
      try {
        signal.throwIfAborted(); // between the turn's call and here
        const startedAtMs = performance.now();
        const tag = await derive('argon2id', {
          message: password,
          nonce: salt,
          memory: memoryKiB,
          passes,
          parallelism: lanes,
          tagLength: tagBytes,
        });
        durations.record((performance.now() - startedAtMs) / 1000);
        signal.throwIfAborted();
        // https://github.com/P-H-C/phc-string-format; v=19 is the version of RFC 9106, 0x13.
        return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$${unpadded(salt)}$${unpadded(tag)}`;
      } finally {
        leave();
      }
    },
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

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
