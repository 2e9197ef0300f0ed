import { setTimeout as delay } from 'node:timers/promises';

const firstMs = 20;
const longestMs = 1_000;

/**
 * Waits before the next try: a random time that grows from try to try, so that tries which met once don't meet again
 * (full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 *
 * @param tries how many there have been, from 1
 * @throws the signal's reason, at once
 */
export async function backoff(tries: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(Math.random() * Math.min(longestMs, firstMs * 2 ** tries), undefined, { signal });
  } catch (error) {
    signal.throwIfAborted(); // it is the cause of an AbortError
    throw error;
  }
}
