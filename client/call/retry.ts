import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, type StreamResponse, type Transport } from '@connectrpc/connect';
import { createAsyncIterable } from '@connectrpc/connect/protocol';
import { handshakeFailure } from '../connection/handshake.ts';
import { UsersError } from './call-error.ts';
import { type Deadline, deadlineAfter, maxTimerMs } from './deadline.ts';
import { toUsersError } from './failure.ts';
import { checkedMetadata, type Metadata } from './metadata.ts';

/**
 * How often, and how fast, a failed call is tried again.
 *
 * A server that is not there counts as any other failure: with the defaults the call ends with UNAVAILABLE after some
 * 2 s, and 4 s at most, whatever its deadline, which is time for a server to restart. `ready()` waits longer.
 */
export interface RetryPolicy {
  /** The first attempt counts: 1 switches retries off. Default 5. */
  readonly maxAttempts: number;
  /** The longest wait before the second attempt; doubled before each further one. Default 300 ms. */
  readonly initialBackoffMs: number;
  /** The longest wait the client chooses itself. Default 2 s. */
  readonly maxBackoffMs: number;
}

/** One call over the wire; it may take so many ms, or for ever. */
type Attempt<T> = (remainingMs: number | undefined, metadata: Headers) => Promise<T>;

/**
 * A transport whose calls are tried again while that is safe, within their one deadline.
 *
 * For services whose methods may be repeated, as all that this client calls may: reads, and CreateUser with its
 * request_id. UNAVAILABLE is retried, and any other code if the server sends RetryInfo. A server stream is retried
 * until its first message; therefore its headers are handed on together with that message. Other streams are
 * not retried: what they have sent is gone.
 *
 * Metadata is checked before anything is sent, the default metadata with it: that is for keys which a call does not
 * have. Errors are UsersErrors. The default deadline is for calls that don't set one.
 */
export function retrying(
  next: Transport,
  policy: RetryPolicy,
  defaultDeadlineMs: number,
  defaultMetadata: Headers,
): Transport {
  return {
    unary(method, signal, timeoutMs, header, input, contextValues) {
      return run(policy.maxAttempts, signal, timeoutMs, header, (remainingMs, metadata) =>
        next.unary(method, signal, remainingMs, metadata, input, contextValues),
      );
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      if (method.methodKind !== 'server_streaming') {
        return run(1, signal, timeoutMs, header, (remainingMs, metadata) =>
          next.stream(method, signal, remainingMs, metadata, input, contextValues),
        );
      }
      const requests: MessageInitShape<typeof method.input>[] = [];
      for await (const request of input) requests.push(request);
      return run(policy.maxAttempts, signal, timeoutMs, header, async (remainingMs, metadata) => {
        const again = createAsyncIterable(requests);
        const response = await next.stream(method, signal, remainingMs, metadata, again, contextValues);
        return begin(response, timeoutMs ?? defaultDeadlineMs);
      });
    },
  };

  async function run<T>(
    maxAttempts: number,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: Metadata,
    attempt: Attempt<T>,
  ): Promise<T> {
    let deadline: Deadline | undefined;
    let neverSent = true;
    try {
      deadline = deadlineAfter(timeoutMs ?? defaultDeadlineMs);
      const metadata = checkedMetadata(header, defaultMetadata);
      for (let failed = 1; ; failed++) {
        try {
          return await attempt(deadline?.remainingMs(), metadata);
        } catch (reason) {
          const last = toUsersError(reason, deadline?.timeoutMs);
          neverSent &&= last.neverSent;
          const error = last.neverSent === neverSent ? last : new UsersError(last, { neverSent });
          if (failed >= maxAttempts || signal?.aborted) throw error;
          const waitMs = retryDelayMs(error, failed, policy);
          // Waiting past the deadline would only replace the cause by DEADLINE_EXCEEDED.
          if (waitMs === undefined || (deadline && waitMs >= deadline.remainingMs())) throw error;
          await sleep(waitMs, undefined, { signal });
        }
      }
    } catch (reason) {
      throw toUsersError(reason, deadline?.timeoutMs);
    }
  }
}

/**
 * How long to wait before the next attempt, or undefined if there must be none: full jitter over an exponential
 * backoff (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), after what RetryInfo asks for.
 */
export function retryDelayMs(error: UsersError, failed: number, policy: RetryPolicy): number | undefined {
  if (error.code !== Code.Unavailable && error.retryAfterMs === undefined) return undefined;
  if (handshakeFailure(error)) return undefined;
  const ceiling = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (failed - 1));
  const waitMs = (error.retryAfterMs ?? 0) + Math.random() * ceiling;
  return waitMs > maxTimerMs ? undefined : waitMs;
}

/** Waits for the first message, or the end: until then the call may be repeated. */
async function begin<R extends StreamResponse>(response: R, timeoutMs: number): Promise<R> {
  const messages = response.message[Symbol.asyncIterator]();
  const first = await messages.next();
  async function* all() {
    try {
      for (let result = first; !result.done; result = await messages.next()) yield result.value;
    } catch (reason) {
      throw toUsersError(reason, timeoutMs);
    }
  }
  return { ...response, message: all() };
}
