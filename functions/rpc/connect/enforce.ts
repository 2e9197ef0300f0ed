import { ConnectError, createContextKey, type HandlerContext, type Interceptor } from '@connectrpc/connect';
import { ok } from '../call/status.ts';
import { canceled, toConnectError } from '../errors.ts';

/** How a call ended, for the log. */
export interface Outcome {
  status: number | undefined;
  error: ConnectError | undefined;
  /** connect notes in it what ended the call, also before and after the interceptors. */
  context: HandlerContext | undefined;
}

/** Where the interceptor notes how the call ended. */
export const outcomeKey = createContextKey<Outcome>({
  status: undefined,
  error: undefined,
  context: undefined,
});

/**
 * The outermost interceptor of gRPC-Web and Connect: it gives their calls what `GrpcCall` gives to gRPC's.
 * When the signal is aborted (deadline, cancel, drain) the client is answered at once, whatever the
 * method does, and unknown exceptions turn into INTERNAL. connect leaves the first to the method.
 */
export const enforce: Interceptor = (next) => async (request) => {
  const outcome = request.contextValues.get(outcomeKey);
  const fail = (thrown: unknown): ConnectError => {
    outcome.error = toConnectError(thrown, request.signal);
    outcome.status = outcome.error.code;
    return outcome.error;
  };
  try {
    const response = await unlessAborted(request.signal, () => next(request));
    if (!response.stream) {
      outcome.status = ok;
      return response;
    }
    const messages = eachUnlessAborted(request.signal, response.message);
    return {
      ...response,
      message: (async function* () {
        try {
          for await (const message of messages) {
            try {
              yield message;
            } catch (thrown) {
              // From below: the message could not be serialized, or not be written, since the client is gone.
              throw thrown instanceof ConnectError ? thrown : reasonOf(request.signal);
            }
          }
          outcome.status = ok;
        } catch (thrown) {
          throw fail(thrown);
        }
      })(),
    };
  } catch (thrown) {
    throw fail(thrown);
  }
};

function reasonOf(signal: AbortSignal): ConnectError {
  return signal.reason instanceof ConnectError ? signal.reason : canceled;
}

/** The result of `work`, or the reason of the signal, whichever comes first. */
export async function unlessAborted<T>(signal: AbortSignal, work: () => PromiseLike<T>): Promise<T> {
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

/** The items of an iterable until the signal is aborted; then it throws the reason, even if no item comes. */
export async function* eachUnlessAborted<T>(signal: AbortSignal, items: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let isDone = false;
  try {
    for (;;) {
      const result = await unlessAborted(signal, () => iterator.next());
      if (result.done === true) {
        isDone = true;
        return;
      }
      yield result.value;
    }
  } finally {
    // Not awaited: an iterator that hangs in next() would never come back from return().
    if (!isDone) iterator.return?.()?.catch(() => {});
  }
}
