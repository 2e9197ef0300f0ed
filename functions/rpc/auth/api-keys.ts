import { hash, timingSafeEqual } from 'node:crypto';
import type { Way } from './auth-gate.ts';
import { bearerOf } from './bearer.ts';
import { type Caller, callerOfKind } from './caller.ts';

/** A key that a caller may show, without the key itself. */
export interface ApiKey {
  /** Who calls with it. Keys with the same name are the same caller: so a key is replaced by another. */
  readonly name: string;
  /** What the caller may do; `*` is everything. */
  readonly scopes: readonly string[];
  /** The SHA-256 of the key, 32 bytes. Keys are random, so nobody finds one by its hash. */
  readonly sha256: Buffer;
}

/**
 * Knows callers by API keys, which come as `authorization: Bearer KEY`. Each call compares with all of the keys, in
 * constant time: some 1 µs, and 50 ns for each key.
 *
 * A token that is none of the keys may be one for the next way, so that this one says nothing of it.
 */
export function apiKeyWay(keys: readonly ApiKey[]): Way {
  const callers = keys.map(({ name, scopes, sha256 }): [Buffer, Caller] => [
    sha256,
    callerOfKind('key', name, scopes),
  ]);
  return {
    identify({ headers }) {
      const token = bearerOf(headers);
      if (token === undefined) return undefined;
      const shown = hash('sha256', token, 'buffer');
      let found: Caller | undefined;
      for (const [sha256, caller] of callers) if (timingSafeEqual(sha256, shown)) found = caller;
      return found;
    },
  };
}
