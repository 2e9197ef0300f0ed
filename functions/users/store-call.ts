import type { Limits } from '../limits.ts';
import { usersError } from './errors.ts';
import { StoreError } from './store.ts';

/** What a call of the store must keep to. */
export interface StoreCallOptions {
  /** The call that it serves. Its signal aborts the store's; it is not touched if the store answers at once. */
  readonly context: { readonly signal: AbortSignal };
  readonly limits: Pick<Limits, 'storeTimeoutMs'>;
  /** Whether it may be repeated after it was given up, when nobody knows what it did. */
  readonly retrySafe: boolean;
}

const ready = Promise.resolve();

/** A store that did not answer in time needs a moment before the next try. */
const timeoutRetryAfterMs = 1000;

/**
 * Calls the store and waits for at most `storeTimeoutMs`, even if it hangs. Afterwards no timer or listener is left. If
 * the call is given up, the store's signal is aborted.
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
      // This tick comes once all promises that are ready have had their turn. A store in memory has answered by then: a
      // timer and a listener would cost more than its answer.
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
