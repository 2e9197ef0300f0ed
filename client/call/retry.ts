import { setTimeout as sleep } from 'node:timers/promises';
import { create, type DescMethod, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, type StreamResponse, type Transport } from '@connectrpc/connect';
import { createAsyncIterable } from '@connectrpc/connect/protocol';
import { fateOf } from '../connection/fate.ts';
import { CallError } from './call-error.ts';
import { type Deadline, deadlineAfter, maxTimerMs } from './deadline.ts';
import { isMismatch, toCallError } from './failure.ts';
import { checkedMetadata, type Metadata } from './metadata.ts';
import { RetryThrottle, type RetryThrottleOptions } from './retry-throttle.ts';
import type { BeginSpan, CallSpan } from './tracing.ts';

/**
 * How often, and how fast, a failed call is tried again.
 *
 * A server that is not there counts as any other failure: with the defaults the call ends with UNAVAILABLE after some
 * 2 s, and 4 s at most, whatever its deadline, which is time for a server to restart. `ready()` waits longer.
 */
export interface RetryPolicy extends RetryThrottleOptions {
  /** The first attempt counts: 1 switches retries off. Default 5. */
  readonly maxAttempts: number;
  /** The longest wait before the second attempt; doubled before each further one. Default 300 ms. */
  readonly initialBackoffMs: number;
  /** The longest wait the client chooses itself. Default 2 s. */
  readonly maxBackoffMs: number;
}

/** What was asked for. */
interface Call {
  readonly method: DescMethod;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: Metadata;
  readonly span: CallSpan | undefined;
  /** What is sent; of a stream that is not sent again, nothing. */
  readonly request?: MessageInitShape<DescMethod['input']> | undefined;
}

/** One call over the wire; it may take so many ms, or for ever. */
type Attempt<T> = (remainingMs: number | undefined, metadata: Headers) => Promise<T>;

/** What holds for all calls of a client. */
export interface CallPolicy extends RetryPolicy {
  /** Whether this request of the method may be sent again when it may have been carried out already. */
  readonly repeatable: (method: DescMethod, request: Message) => boolean;
  /** The deadline of calls that set none; 0 means none. */
  readonly deadlineMs: number;
  /** Checked already; for keys that a call does not have. */
  readonly metadata: Headers;
  /** Begins the span of a call, where somebody traces. */
  readonly beginSpan?: BeginSpan | undefined;
  /** Makes an error of what a call threw; the time is that of its deadline. */
  readonly failure: (reason: unknown, timeoutMs?: number) => CallError;
}

/**
 * A transport whose calls are tried again while that is safe, within their one deadline.
 *
 * UNAVAILABLE is retried, so is any other code if the server sends RetryInfo, and a stream that was reset with
 * ENHANCE_YOUR_CALM before it was answered: if no server can have begun the call, or it is repeatable. What a
 * server has refused to begin is sent again at once the first time, and does not count as an attempt ("transparent
 * retry", https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries).
 *
 * A server that sends `grpc-retry-pushback-ms` decides when the next attempt is made, or, by a negative number, that
 * there is none. While most calls fail, none is retried: see `RetryThrottle`.
 *
 * A server stream is retried until its first message; therefore its headers are handed on together with that message.
 * Other streams are not retried: what they have sent is gone.
 *
 * Metadata is checked before anything is sent, that of the client with it. Errors are as `failure` makes them.
 */
export function retrying(next: Transport, policy: CallPolicy): Transport {
  const throttle = new RetryThrottle(policy);
  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const span = policy.beginSpan?.(method);
      const call = { method, signal, timeoutMs, header, span, request: input };
      const response = await run(call, (remainingMs, metadata) =>
        next.unary(method, signal, remainingMs, metadata, input, contextValues),
      );
      span?.end();
      return response;
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const span = policy.beginSpan?.(method);
      const call = { method, signal, timeoutMs, header, span };
      if (!isReplayable(method)) {
        const response = await run(call, (remainingMs, metadata) =>
          next.stream(method, signal, remainingMs, metadata, input, contextValues),
        );
        return span === undefined ? response : { ...response, message: until(response.message, span) };
      }
      const requests: MessageInitShape<typeof method.input>[] = [];
      for await (const request of input) requests.push(request);
      return run({ ...call, request: requests[0] }, async (remainingMs, metadata) => {
        const again = createAsyncIterable(requests);
        const response = await next.stream(method, signal, remainingMs, metadata, again, contextValues);
        return begin(response, timeoutMs ?? policy.deadlineMs, span);
      });
    },
  };

  async function run<T>(call: Call, attempt: Attempt<T>): Promise<T> {
    const { method, signal } = call;
    const maxAttempts = isReplayable(method) ? policy.maxAttempts : 1;
    let attempts = 0;
    let neverSent = true;
    let mayBeRefused = isReplayable(method);
    let deadline: Deadline | undefined;
    try {
      deadline = deadlineAfter(call.timeoutMs ?? policy.deadlineMs);
      const metadata = checkedMetadata(call.span?.metadata(call.header) ?? call.header, policy.metadata);
      for (;;) {
        try {
          const answer = await attempt(deadline?.remainingMs(), metadata);
          throttle.succeeded();
          return answer;
        } catch (reason) {
          const last = toCallError(reason, deadline?.timeoutMs);
          neverSent &&= last.neverSent;
          const error = last.neverSent === neverSent ? last : new CallError(last, { neverSent });
          if (signal?.aborted) throw error;
          if (last.isWireError && isTemporary(last)) throttle.failed();
          const refused = fateOf(last) === 'refused';
          if (refused && mayBeRefused) {
            mayBeRefused = false;
            call.span?.retried(error);
            continue;
          }
          if (++attempts >= maxAttempts || throttle.isThrottling) throw error;
          if (!last.neverSent && !refused && !isRepeatable(call)) throw error;
          const waitMs = retryDelayMs(error, attempts, policy);
          // Waiting past the deadline would only replace the cause by DEADLINE_EXCEEDED.
          if (waitMs === undefined || (deadline && waitMs >= deadline.remainingMs())) throw error;
          call.span?.retried(error);
          await sleep(waitMs, undefined, { signal });
        }
      }
    } catch (reason) {
      const failure = policy.failure(reason, deadline?.timeoutMs);
      call.span?.end(failure);
      throw failure;
    }
  }

  function isRepeatable({ method, request }: Call): boolean {
    return policy.repeatable(method, create(method.input, request));
  }

  /** Waits for the first message, or the end: until then the call may be repeated. */
  async function begin<R extends StreamResponse>(
    response: R,
    timeoutMs: number,
    span: CallSpan | undefined,
  ): Promise<R> {
    const messages = response.message[Symbol.asyncIterator]();
    const first = await messages.next();
    async function* all() {
      try {
        for (let result = first; !result.done; result = await messages.next()) yield result.value;
      } catch (reason) {
        const failure = policy.failure(reason, timeoutMs);
        span?.end(failure);
        throw failure;
      } finally {
        // Also where its reader leaves it.
        span?.end();
      }
    }
    return { ...response, message: all() };
  }

  /** The messages of a stream that is not repeated; its span ends with them. */
  async function* until<T>(messages: AsyncIterable<T>, span: CallSpan): AsyncIterable<T> {
    try {
      yield* messages;
    } catch (reason) {
      span.end(policy.failure(reason));
      throw reason;
    } finally {
      span.end();
    }
  }
}

/**
 * How long to wait before the next attempt, or undefined if there must be none: full jitter over an exponential
 * backoff (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), after what RetryInfo asks for.
 */
export function retryDelayMs(
  error: CallError,
  failed: number,
  policy: Pick<RetryPolicy, 'initialBackoffMs' | 'maxBackoffMs'>,
): number | undefined {
  if (!isTemporary(error) || isMismatch(error)) return undefined;
  const pushback = error.metadata.get(pushbackKey);
  if (pushback !== null) {
    const waitMs = pushbackMs(pushback);
    return waitMs > maxTimerMs ? undefined : waitMs;
  }
  const ceiling = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (failed - 1));
  const waitMs = (error.retryAfterMs ?? 0) + Math.random() * ceiling;
  return waitMs > maxTimerMs ? undefined : waitMs;
}

/** Whether another attempt may end otherwise. */
function isTemporary(error: CallError): boolean {
  return error.code === Code.Unavailable || fateOf(error) === 'shed' || error.retryAfterMs !== undefined;
}

const pushbackKey = 'grpc-retry-pushback-ms';

/**
 * The time that a server asks for; infinite for what is no time, such as -1, which means never. The server spreads the
 * times that it gives, so the client adds nothing.
 * Source: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback
 */
function pushbackMs(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

/** Whether what the call sends is kept, so that it can be sent again. */
function isReplayable({ methodKind }: DescMethod): boolean {
  return methodKind === 'unary' || methodKind === 'server_streaming';
}
