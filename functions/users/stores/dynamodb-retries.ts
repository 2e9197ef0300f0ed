import { setTimeout as delay } from 'node:timers/promises';
import { DynamoError } from './dynamodb-api.ts';
import { isThrottle } from './dynamodb-faults.ts';

/**
 * Times and costs of the AWS SDKs' standard retries, as those of 2026 have them for DynamoDB
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html).
 */
const firstPauseMs = 25;
const firstThrottledPauseMs = 1_000;
const longestPauseMs = 20_000;
const quotaTokens = 500;
const retryTokens = 14;
const throttledRetryTokens = 5;

/** Errors of DynamoDB by which nobody is to blame, whatever the status. */
const passing = new Set(['TransactionInProgressException', 'RequestTimeout', 'RequestTimeoutException']);
const passingStatuses = new Set([500, 502, 503, 504]);

/** Whether a request may succeed when it is sent again as it is. What is not an answer is a fault of the network. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof DynamoError)) return true;
  return isThrottle(error) || passing.has(error.name) || passingStatuses.has(error.status);
}

/**
 * How many requests a client sends again: while most fail, only some are, so that a service in trouble is not asked
 * four times for each request.
 */
export class RetryQuota {
  #tokens = quotaTokens;

  /** Takes what a retry after this error costs; 0 if there is not enough left. */
  take(error: unknown): number {
    const tokens = isThrottle(error) ? throttledRetryTokens : retryTokens;
    if (this.#tokens < tokens) return 0;
    this.#tokens -= tokens;
    return tokens;
  }

  /** A request has succeeded. @param tokens what its last retry has taken, if it had one */
  give(tokens: number): void {
    this.#tokens = Math.min(quotaTokens, this.#tokens + (tokens || 1));
  }
}

/**
 * Waits before the next attempt: a random time that grows, longer after throttling.
 *
 * @param attempts how many there have been, from 1
 * @throws the signal's reason, at once
 */
export async function pause(attempts: number, error: unknown, signal: AbortSignal): Promise<void> {
  const first = isThrottle(error) ? firstThrottledPauseMs : firstPauseMs;
  try {
    const longest = Math.min(longestPauseMs, first * 2 ** (attempts - 1));
    await delay(Math.random() * longest, undefined, { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw cause;
  }
}
