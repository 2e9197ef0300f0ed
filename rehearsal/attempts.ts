import { setTimeout as sleep } from 'node:timers/promises';

/** Between two attempts, at most: chance decides, so that calls that failed together are not repeated together. */
const mostPauseMs = 1_000;

/**
 * Makes a call until it goes well, as clients do that repeat their calls. For those that have no client of ours.
 *
 * @param maxAttempts in all; 1 repeats nothing
 * @throws what the last attempt has thrown
 */
export async function withAttempts(
  call: () => Promise<void>,
  maxAttempts: number,
  pauseMs: number = mostPauseMs,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt >= maxAttempts) throw error;
    }
    await sleep(Math.random() * pauseMs);
  }
}
