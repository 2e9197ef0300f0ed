import type { Limits } from '../limits.ts';
import { usersError } from './errors.ts';
import { StoreError } from './store.ts';

/** What a call of the store has to keep to. */
export interface StoreCallOptions {
  /** The call that it serves: once its signal is aborted, so is the store's. Not touched if the store answers at once. */
  readonly context: { readonly signal: AbortSignal };
  readonly limits: Pick<Limits, 'storeTimeoutMs'>;
  /** Whether it may be repeated after it was given up, when nobody knows what it did. */
  readonly retrySafe: boolean;
}

const ready = Promise.resolve();

/** After a store did not answer in time, at once would be too soon. */
const timeoutRetryAfterMs = 1000;

/**
 * Calls the store, but waits no longer for it than it may take, even if it hangs. Afterwards no timer and no
 * listener is left, and the store's signal is aborted if it was given up.
 *
 * @throws STORE_UNAVAILABLE for a `StoreError` and after `storeTimeoutMs`; the signal's reason when it is aborted
 */
export function callStore<T>(
  call: (signal: AbortSignal) => Promise<T>,
  { context, limits: { storeTimeoutMs }, retrySafe }: StoreCallOptions,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    let isSettled = false;
    let release = () => {};
    const giveUp = (reason: unknown) => {
      release();
      reject(reason);
      controller.abort(reason);
    };
    const watch = () => {
      const { signal } = context;
      const onAbort = () => giveUp(signal.reason);
      const timer = setTimeout(() => {
        const cause = new Error(`the store did not answer within ${storeTimeoutMs} ms`);
        const retryAfterMs = retrySafe ? timeoutRetryAfterMs : undefined;
        giveUp(usersError('STORE_UNAVAILABLE', { cause, retryAfterMs }));
      }, storeTimeoutMs);
      signal.addEventListener('abort', onAbort);
      release = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      if (signal.aborted) onAbort();
    };
    const succeed = (answer: T) => {
      isSettled = true;
      release();
      resolve(answer);
    };
    const fail = (error: unknown) => {
      isSettled = true;
      release();
      reject(error instanceof StoreError ? storeUnavailable(error) : error);
    };
    try {
      call(controller.signal).then(succeed, fail);
      // A tick that is asked for in a promise's turn comes when all promises that are ready have had theirs. A store
      // in memory has its answer by then, and a timer and a listener would cost more than the answer.
      ready.then(() => process.nextTick(() => isSettled || watch()));
    } catch (error) {
      fail(error);
    }
  });
}

function storeUnavailable(cause: StoreError) {
  return usersError('STORE_UNAVAILABLE', {
    cause,
    retryAfterMs: cause.retrySafe ? cause.retryAfterMs : undefined,
  });
}
