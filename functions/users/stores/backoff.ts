import { setTimeout as delay } from 'node:timers/promises';

const firstMs = 20;
const longestMs = 1_000;

/**
 * How long to wait before the next try: a random time that grows from try to try, so that tries which met once don't
 * meet again (full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 *
 * @param tries how many there have been, from 1
 * @param chance from 0 to 1: the same for those who are to meet again
 */
export function backoffMs(tries: number, chance = Math.random()): number {
  return chance * Math.min(longestMs, firstMs * 2 ** tries);
}

/**
 * Waits for that time.
 *
 * @throws the signal's reason, at once
 */
export async function backoff(tries: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(backoffMs(tries), undefined, { signal });
  } catch (error) {
    signal.throwIfAborted(); // it is the cause of an AbortError
    throw error;
  }
}
