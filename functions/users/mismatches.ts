import type { Limits } from '../limits.ts';
import { usersError } from './errors.ts';

/** Counts requests that come with a known request id, but with other content than the first. */
export interface Mismatches {
  /** Counts one more of a request id. */
  add(requestId: string): void;
  /**
   * Once it throws for a request id, the service answers nothing more about that request, not even a right guess.
   *
   * @param requestId `undefined` where a request has none
   * @throws REQUEST_ID_SPENT when the request id has had as many as it may
   */
  check(requestId: string | undefined): void;
}

/**
 * Makes a count of mismatches. Whoever learns the request id of another's sign-up could otherwise guess its password
 * and email, since a right guess is answered like a repeat. An id is counted for as long as a store can know it after
 * its first mismatch. Beyond `maxMismatchedRequestIds`, the ids whose first mismatch is longest ago are forgotten.
 */
export function countMismatches(
  limits: Pick<Limits, 'maxRequestIdMismatches' | 'maxMismatchedRequestIds' | 'requestIdTtlMs'>,
  now: () => number,
): Mismatches {
  // In the order of the first mismatch, which is that of expiry too.
  const counts = new Map<string, { mismatches: number; readonly expiresAtMs: number }>();

  function makeRoom(nowMs: number): void {
    for (const [id, { expiresAtMs }] of counts) {
      if (expiresAtMs > nowMs && counts.size < limits.maxMismatchedRequestIds) return;
      counts.delete(id);
    }
  }

  function current(requestId: string) {
    const count = counts.get(requestId);
    return count && count.expiresAtMs > now() ? count : undefined;
  }

  return {
    add(requestId) {
      const count = current(requestId);
      if (count) {
        count.mismatches += 1;
        return;
      }
      const nowMs = now();
      counts.delete(requestId);
      makeRoom(nowMs);
      counts.set(requestId, { mismatches: 1, expiresAtMs: nowMs + limits.requestIdTtlMs });
    },
    check(requestId) {
      if (requestId === undefined) return;
      const { mismatches = 0 } = current(requestId) ?? {};
      if (mismatches >= limits.maxRequestIdMismatches) throw usersError('REQUEST_ID_SPENT');
    },
  };
}
