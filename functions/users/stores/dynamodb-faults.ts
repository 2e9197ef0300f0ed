import { StoreError } from '../store.ts';
import { DynamoError } from './dynamodb-api.ts';

/** DynamoDB refuses the request for now, and has written nothing. The client has tried more than once already. */
const throttled = new Set([
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
]);

/** Whether DynamoDB has refused a request because there are too many. */
export function isThrottle(error: unknown): boolean {
  return error instanceof DynamoError && throttled.has(error.name);
}

/**
 * Whether nobody knows if the request was carried out. A client's fault is refused for good: no permission, no such
 * table. A server's may have come after the write, and a transaction in progress is an earlier try of the client's own.
 */
export function isUnknown(error: unknown): boolean {
  if (!(error instanceof DynamoError)) return true;
  return error.status >= 500 || error.name === 'TransactionInProgressException';
}

/** Codes of a transaction's CancellationReasons that another try may get past. */
export const passingReasons: ReadonlySet<string | undefined> = new Set([
  'ProvisionedThroughputExceeded',
  'ThrottlingError',
  'TransactionConflict',
]);

/** Those of them that are throttling. */
export const throttledReasons: ReadonlySet<string | undefined> = new Set([
  'ProvisionedThroughputExceeded',
  'ThrottlingError',
]);

/** How long a client should wait after throttling: a partition refills its burst capacity by the second. */
const throttledRetryMs = 1_000;

/**
 * Makes the error for the caller of the store out of one of the client.
 *
 * @param repeatable whether the call may be repeated if nobody knows whether DynamoDB carried it out
 */
export function fault(what: string, cause: unknown, repeatable: boolean): StoreError {
  if (cause instanceof StoreError) return cause;
  const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  // The one who looks for it does not say where.
  const advice = reason.includes('Region is missing') ? ': set AWS_REGION' : '';
  const message = `DynamoDB could not ${what}: ${reason}${advice}`;
  if (cause instanceof DynamoError && isThrottle(cause)) {
    return new StoreError(message, {
      // This attempt has written nothing; one before it may have.
      retrySafe: repeatable || !cause.followsUnknown,
      retryAfterMs: throttledRetryMs,
      isOverload: true,
      cause,
    });
  }
  return new StoreError(message, { retrySafe: isUnknown(cause) && repeatable, cause });
}
