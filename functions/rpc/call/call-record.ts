import type { IncomingHttpHeaders } from 'node:http2';
import type { ConnectError } from '@connectrpc/connect';
import type { Caller } from '../auth/caller.ts';
import type { CallTrace } from '../telemetry/trace.ts';

/** A request and its answer, as HTTP has them. */
export interface HttpFacts {
  /** As the client has sent it: such as GET, or anything else. */
  readonly method: string;
  /** Of the answer; `undefined` if none has begun. */
  readonly status: number | undefined;
}

/** The path of all calls that nothing takes: what people write into paths may be secret, and has no end. */
export const unknownPath = '(unknown)';

/** What is known of a call at its end. */
export interface CallRecord {
  /** The path, such as `/Users/CreateUser`: of a method or resource that there is, else `unknownPath`. */
  readonly method: string;
  /** `grpc`, `grpc-web`, `connect`, `http` or `local`. */
  readonly protocol: string;
  /** Why it failed. */
  readonly error: ConnectError | undefined;
  /** On the clock of `performance.now()`. */
  readonly startedAtMs: number;
  /** When its status was decided, on the same clock; NaN before. */
  readonly endedAtMs: number;
  /** The time the call was given; infinite for none. */
  readonly timeoutMs: number;
  /** Whether its client has asked for a deadline. */
  readonly hasDeadline: boolean;
  readonly peer: string;
  /** The address that trusted proxies name as the client's; `undefined` where there are none. */
  readonly forwardedFor?: string | undefined;
  readonly caller: Caller | undefined;
  readonly requestId: string;
  readonly headers: IncomingHttpHeaders;
  /** Messages, and their bytes as they came: compressed, without frames. */
  readonly receivedMessages: number;
  readonly receivedBytes: number;
  /** Messages, and their bytes as they went. */
  readonly sentMessages: number;
  readonly sentBytes: number;
  /** What HTTP said of it; `undefined` within the process. Known at its end. */
  readonly http?: HttpFacts | undefined;
  /** What happened in it, where somebody watches. */
  readonly trace: CallTrace | undefined;
  /** Whether observers are told of it only if it fails, such as health checks. */
  readonly isQuiet: boolean;
}

/** Watches all calls of a server. It must not throw, and must be quick: it runs within each call. */
export interface CallObserver {
  /** A call that is not quiet has come: its headers are there. */
  begun?(call: CallRecord): void;
  /**
   * A call's status is decided: 0 for OK, or a code. Called once for each call, for a quiet one only if it has failed.
   */
  ended(call: CallRecord, status: number): void;
  /** Calls of a method were refused before anything was made of them: there is no record, and `ended` is not called. */
  shed?(path: string, protocol: string, error: ConnectError, calls: number): void;
}
