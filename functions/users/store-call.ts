import type { HandlerContext } from '@connectrpc/connect';
import type { Limits } from '../limits.ts';
import { onAbort, type Span, traceOf } from '../rpc/index.ts';
import { usersError } from './errors.ts';
import { StoreError, type UserStore } from './store.ts';
import { showRequests } from './store-trace.ts';
import type { StoreOperation } from './store-watch.ts';

/** What a call of the store must keep to. */
export interface StoreCallOptions {
  /** The call that it serves. Its signal aborts the store's; it is not touched if the store answers at once. */
  readonly context: { readonly signal: AbortSignal };
  readonly limits: Pick<Limits, 'storeTimeoutMs'>;
  /** Whether it may be repeated after it was given up, when nobody knows what it did. */
  readonly retrySafe: boolean;
  /** Its place in the trace of the call that it serves, from `storeSpan`. It ends with the call of the store. */
  readonly span?: Span | undefined;
}

const ready = Promise.resolve();

/** A store that did not answer in time needs a moment before the next try. */
const timeoutRetryAfterMs = 1000;

/**
 * Begins the span of a call of the store, where somebody watches the call that it serves. `users`: how many it is for.
 */
export function storeSpan(
  context: Pick<HandlerContext, 'values'>,
  { system }: Pick<UserStore, 'system'>,
  operation: StoreOperation,
  users: number,
): Span | undefined {
  return traceOf(context)?.begin(`store.${operation}`, {
    'db.system.name': system,
    'db.operation.name': operation,
    'db.operation.batch.size': users,
  });
}

/**
 * Calls the store and waits for at most `storeTimeoutMs`, even if it hangs. Afterwards no timer or listener is left. If
 * the call is given up, the store's signal is aborted.
 *
 * @throws STORE_UNAVAILABLE for a `StoreError` and after `storeTimeoutMs`; the signal's reason when it is aborted
 */
export function callStore<T>(
  call: (signal: AbortSignal) => Promise<T>,
  { context, limits: { storeTimeoutMs }, retrySafe, span }: StoreCallOptions,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    if (span !== undefined) showRequests(span, controller.signal);
    let isSettled = false;
    let release = () => {};
    const end = (error?: unknown) => {
      if (isSettled) return;
      isSettled = true;
      release();
      if (span === undefined) return;
      span.endedAtMs = performance.now();
      span.error = error;
    };
    const giveUp = (reason: unknown) => {
      end(reason);
      reject(reason instanceof StoreError ? storeUnavailable(reason) : reason);
      controller.abort(reason);
    };
    const watch = () => {
      const timer = setTimeout(() => {
        const message = `the store did not answer within ${storeTimeoutMs} ms`;
        giveUp(new StoreError(message, { retrySafe, retryAfterMs: timeoutRetryAfterMs }));
      }, storeTimeoutMs);
      let forget = () => {};
      release = () => {
        clearTimeout(timer);
        forget();
      };
      forget = onAbort(context, giveUp);
    };
    const succeed = (answer: T) => {
      end();
      resolve(answer);
    };
    const fail = (error: unknown) => {
      end(error);
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
