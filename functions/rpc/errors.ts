import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from './standard/gen/google/rpc/error_details_pb.js';

/**
 * Every error that `rpc/` itself answers with, before or instead of a service. `docs/errors.md` documents them. The
 * messages are for people; programs read the code.
 */
export const rpcErrors = {
  DEADLINE_EXCEEDED: [Code.DeadlineExceeded, 'the deadline passed before the call was done'],
  CANCELED: [Code.Canceled, 'the client canceled the call'],
  DRAINING: [Code.Unavailable, 'the server is shutting down; another one can take the call'],
  INTERNAL: [Code.Internal, 'internal error'],
  UNKNOWN_METHOD: [Code.Unimplemented, 'unknown service or method'],
  NOT_FOUND: [Code.NotFound, 'there is nothing at this path'],
  METHOD_NOT_ALLOWED: [Code.Unimplemented, 'this HTTP method is not possible here'],
  UNKNOWN_CONTENT_TYPE: [Code.Unimplemented, 'the method takes no such content type'],
  NEEDS_HTTP2: [Code.Unimplemented, 'the method has streams in both directions, which takes HTTP/2'],
  GRPC_NEEDS_HTTP2: [
    Code.Unimplemented,
    'gRPC needs HTTP/2 from end to end, and this request came over HTTP/1.1: use Connect or gRPC-Web here, or a server that HTTP/2 reaches, such as the container',
  ],
  BAD_TIMEOUT: [
    Code.InvalidArgument,
    'the timeout must be digits and one of H M S m u n in grpc-timeout, digits alone in connect-timeout-ms',
  ],
  BAD_QUERY: [Code.InvalidArgument, 'the query of the URL is not valid'],
  BAD_HOST: [Code.InvalidArgument, 'the request must name one host'],
  HEADERS_TOO_LARGE: [Code.ResourceExhausted, 'the request has more headers than this server takes'],
  FOREIGN_HOST: [Code.PermissionDenied, 'the request is for another host than this machine'],
  BESIDE_PROXY: [Code.PermissionDenied, 'the request has not come through the proxy in front of this server'],
  BAD_MESSAGE: [Code.InvalidArgument, 'the request is not a valid message'],
  TRUNCATED_MESSAGE: [Code.InvalidArgument, 'the request ended in the middle of a message'],
  MISSING_MESSAGE: [Code.Unimplemented, 'the method takes one request message, none came'],
  EXTRA_MESSAGE: [Code.Unimplemented, 'the method takes one request message, more came'],
  MISSING_RESPONSE: [Code.Internal, 'the method returned no response'],
  BAD_FLAGS: [Code.InvalidArgument, 'a message has flags that are not known'],
  MESSAGE_TOO_LARGE: [Code.ResourceExhausted, 'the message is larger than this server takes or sends'],
  TOO_MANY_ELEMENTS: [Code.ResourceExhausted, 'the message holds more than this server reads'],
  INFLATES_TOO_MUCH: [Code.ResourceExhausted, 'the message inflates to more than this server makes'],
  MEMORY_EXHAUSTED: [
    Code.ResourceExhausted,
    'the calls under way hold too much memory; try again when some have ended',
  ],
  UNKNOWN_COMPRESSION: [Code.Unimplemented, 'the compression of the request is unknown here'],
  UNEXPECTED_COMPRESSION: [Code.Internal, 'a message is compressed, but no grpc-encoding was announced'],
  BAD_COMPRESSION: [Code.InvalidArgument, 'the message is not what its compression says'],
  TOO_MANY_WATCHES: [Code.ResourceExhausted, 'too many watches are open'],
  WATCH_ENDED: [Code.Unavailable, 'the watch has lasted as long as it may; begin another'],
  STALLED: [Code.Canceled, 'the client has stopped to read the response'],
  NO_CREDENTIALS: [
    Code.Unauthenticated,
    'the call needs a credential: authorization: Bearer, with a key or token',
  ],
  BAD_CREDENTIALS: [Code.Unauthenticated, 'the credential is not valid here'],
  EXPIRED_CREDENTIALS: [Code.Unauthenticated, 'the credential has expired'],
  MISSING_SCOPE: [Code.PermissionDenied, 'the caller has not the scope that the method needs'],
  ISSUER_UNAVAILABLE: [Code.Unavailable, 'the keys of the issuer of the token can not be fetched now'],
  QUOTA_EXCEEDED: [Code.ResourceExhausted, 'the caller has used up what it may do for now'],
  OVERLOADED: [Code.Unavailable, 'more calls come than can be done; try again later, or elsewhere'],
  TOO_MANY_CALLS: [Code.ResourceExhausted, 'the caller has too many calls under way'],
  TOO_MANY_RESETS: [Code.ResourceExhausted, 'the client has cancelled too many calls; try again later'],
  UNKNOWN_SERVICE: [Code.NotFound, 'unknown service'],
  NOT_SERVING: [Code.Unavailable, 'not serving'],
} as const satisfies Record<string, readonly [Code, string]>;

/** The domain of the errors of `rpc/` in `google.rpc.ErrorInfo`, for those that programs must tell apart. */
export const rpcErrorDomain = 'rpc';

/** Names an entry of the registry. */
export type RpcErrorReason = keyof typeof rpcErrors;

/** Which entry of the registry an error was made of. */
const reasons = new WeakMap<ConnectError, RpcErrorReason>();

/** Why a call has failed, in a word: as the ErrorInfo of its error says, else as the registry. */
export function reasonOf(error: ConnectError): string | undefined {
  const known = reasons.get(error);
  if (known !== undefined) return known;
  for (const detail of error.details) {
    if (!('desc' in detail) || detail.desc.typeName !== ErrorInfoSchema.typeName) continue;
    const reason: unknown = Reflect.get(detail.value, 'reason');
    return typeof reason === 'string' && reason !== '' ? reason : undefined;
  }
  return undefined;
}

/**
 * Errors that are made once and never change: what a protocol makes of one may be kept, so that refusing is cheap. All
 * calls share them, so nothing of a call may be put into one: no cause, no metadata.
 */
export const lastingErrors = new WeakSet<ConnectError>();

/** Makes something of an error, for a lasting one only once. */
export function onceIfLasting<T>(make: (error: ConnectError) => T): (error: ConnectError) => T {
  const kept = new WeakMap<ConnectError, { readonly made: T }>();
  return (error) => {
    if (!lastingErrors.has(error)) return make(error);
    let it = kept.get(error);
    if (it === undefined) {
      it = { made: make(error) };
      kept.set(error, it);
    }
    return it.made;
  };
}

/** Makes the error for a reason; `detail` is appended to the message and must be fit for the client. */
export function rpcError(reason: RpcErrorReason, detail?: string, cause?: unknown): ConnectError {
  const [code, message] = rpcErrors[reason];
  const text = detail === undefined ? message : `${message}: ${detail}`;
  const error = new ConnectError(text, code, undefined, undefined, cause);
  reasons.set(error, reason);
  return error;
}

/**
 * Reasons of aborted signals. They are shared by all calls: building an error with its
 * stack and headers costs more than the rest of a small call. Each is made when it is first needed: its `Headers` would
 * load all of Node's `fetch`, which no start needs.
 */
export const deadlineExceeded = shared(() => rpcError('DEADLINE_EXCEEDED'));
/** @see deadlineExceeded */
export const canceled = shared(() => rpcError('CANCELED'));
/** @see deadlineExceeded */
export const draining = shared(() => rpcError('DRAINING'));
/** @see deadlineExceeded */
export const watchEnded = shared(() => rpcError('WATCH_ENDED'));
/** @see deadlineExceeded */
export const stalled = shared(() => rpcError('STALLED'));
/** @see deadlineExceeded */
export const noCredentials = shared(() => authError('NO_CREDENTIALS', 'Bearer'));
/** @see deadlineExceeded */
export const badCredentials = shared(() => authError('BAD_CREDENTIALS', 'Bearer error="invalid_token"'));
/** @see deadlineExceeded */
export const expiredCredentials = shared(() =>
  authError('EXPIRED_CREDENTIALS', 'Bearer error="invalid_token", error_description="expired"'),
);
const refusedTokens = new Map<string, ConnectError>();

/** BAD_CREDENTIALS for a token. `why` is for the log alone, and one of few: a stranger learns nothing by trying. */
export function badToken(why: string): ConnectError {
  let error = refusedTokens.get(why);
  if (error === undefined) {
    error = withoutStack(() => {
      const refused = authError('BAD_CREDENTIALS', 'Bearer error="invalid_token"');
      refused.cause = Object.assign(new Error(why), { stack: undefined });
      return refused;
    });
    refusedTokens.set(why, error);
  }
  return error;
}

/**
 * INTERNAL, as https://github.com/grpc/grpc/blob/master/doc/compression.md has it, and yet the client's own mistake.
 */
export const unexpectedCompression = shared(() => rpcError('UNEXPECTED_COMPRESSION'));

/** @see deadlineExceeded */
export const tooManyCalls = shared(() => lasting(reasonedError('TOO_MANY_CALLS')));
/** After a second a client may reset `streamResetsPerSecond` more. @see deadlineExceeded */
export const tooManyResets = shared(() => retryErrorOf('TOO_MANY_RESETS', 1_000));
/** @see deadlineExceeded */
export const tooManyWatches = shared(() => lasting(rpcError('TOO_MANY_WATCHES')));
/** @see deadlineExceeded */
export const memoryExhausted = shared(() => lasting(rpcError('MEMORY_EXHAUSTED')));

/** The times after which callers without tokens are told to come again: few, so that one error of each can last. */
const retryStepsMs = [
  ...[10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * 1_000),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 4, 6, 8, 12].map((hours) => hours * 3_600_000),
];
const quotaErrors = retryStepsMs.map((stepMs) => ({
  stepMs,
  error: shared(() => retryErrorOf('QUOTA_EXCEEDED', stepMs)),
}));
const longestQuotaError = { error: shared(() => retryErrorOf('QUOTA_EXCEEDED', 24 * 3_600_000)) };

/** What a known caller lacks. @see deadlineExceeded */
export function missingScope(scope: string): () => ConnectError {
  return shared(() =>
    authError('MISSING_SCOPE', `Bearer error="insufficient_scope", scope="${scope}"`, scope),
  );
}

/**
 * A refusal of a credential, made once. Where HTTP shows it, the challenge says how to come in (RFC 6750 section 3).
 */
function authError(reason: RpcErrorReason, challenge: string, scope?: string): ConnectError {
  const error = reasonedError(reason, scope === undefined ? {} : { scope }, scope);
  error.metadata.set('www-authenticate', challenge);
  return lasting(error);
}

/** Makes an error when it is first needed, and only once. */
function shared(make: () => ConnectError): () => ConnectError {
  let error: ConnectError | undefined;
  return () => {
    error ??= withoutStack(make);
    return error;
  };
}

/** A stack keeps what it was captured in: the call that was the first to need the error, with its connection. */
function withoutStack(make: () => ConnectError): ConnectError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function lasting(error: ConnectError): ConnectError {
  lastingErrors.add(error);
  return error;
}

/**
 * A caller has used up its quota. The time is rounded up, to a day at most. Where HTTP shows it, `retry-after` says it
 * too (RFC 9110 section 10.2.3).
 */
export function quotaExceeded(retryAfterMs: number): ConnectError {
  const { error } = quotaErrors.find(({ stepMs }) => retryAfterMs <= stepMs) ?? longestQuotaError;
  return error();
}

function retryErrorOf(reason: RpcErrorReason, retryAfterMs: number): ConnectError {
  const error = reasonedError(reason);
  error.details.push(retryInfo(retryAfterMs));
  error.metadata.set('retry-after', String(Math.ceil(retryAfterMs / 1000)));
  return lasting(error);
}

/** The times after which calls that are too much are told to come again. */
const pushbackStepsMs = [100, 125, 150, 200, 250, 300, 400, 500, 600, 800, 1_000, 1_200];
const overloadErrors = pushbackStepsMs.map((stepMs) => ({
  stepMs,
  error: shared(() => overloadErrorOf(stepMs)),
}));
const longestOverloadError = { error: shared(() => overloadErrorOf(1_500)) };

/**
 * More comes than can be done: nothing was done of this call. The time is rounded up, to 1.5 s at most. It is told as
 * RetryInfo, to HTTP as `retry-after`, and to clients of gRPC that retry by themselves as `grpc-retry-pushback-ms`
 * (https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback).
 */
export function overloaded(retryAfterMs: number): ConnectError {
  const { error } = overloadErrors.find(({ stepMs }) => retryAfterMs <= stepMs) ?? longestOverloadError;
  return error();
}

/** Whether a call was refused as one too many. */
export function isOverload(error: ConnectError | undefined): boolean {
  return error !== undefined && reasonOf(error) === 'OVERLOADED';
}

function overloadErrorOf(retryAfterMs: number): ConnectError {
  const error = retryErrorOf('OVERLOADED', retryAfterMs);
  error.metadata.set('grpc-retry-pushback-ms', String(retryAfterMs));
  return error;
}

/** The detail of an error that says after which time a retry makes sense, for errors after which it is safe. */
export function retryInfo(retryAfterMs: number): ConnectError['details'][number] {
  const seconds = Math.floor(retryAfterMs / 1000);
  const nanos = Math.round((retryAfterMs - seconds * 1000) * 1e6);
  return { desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(seconds), nanos } } };
}

/** As `rpcError`, with an ErrorInfo for programs. */
export function reasonedError(
  reason: RpcErrorReason,
  metadata: Readonly<Record<string, string>> = {},
  detail?: string,
): ConnectError {
  const error = rpcError(reason, detail);
  error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: rpcErrorDomain, metadata } });
  return error;
}

/**
 * The keys of the issuer can't be had: the client gets the time for its next try. Why is logged with the fetch, not
 * with each call: made-up tokens must not make the server look at fault.
 */
export function issuerUnavailable(retryAfterMs: number): ConnectError {
  const error = reasonedError('ISSUER_UNAVAILABLE');
  error.details.push(retryInfo(Math.max(0, retryAfterMs)));
  return error;
}

/**
 * Makes the error that the client gets out of anything that was thrown. A ConnectError stays as it is, an abort becomes
 * the reason of the call's signal, and everything else INTERNAL, whose cause only the log gets.
 */
export function toConnectError(thrown: unknown, signal: AbortSignal | undefined): ConnectError {
  if (thrown instanceof ConnectError) return thrown.rawMessage.isWellFormed() ? thrown : wellFormed(thrown);
  const isAbort = thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'TimeoutError');
  if (isAbort && signal?.aborted && signal.reason instanceof ConnectError) return signal.reason;
  return rpcError('INTERNAL', undefined, thrown);
}

/** The same error for those who are not told its cause. */
export function withoutCause(error: ConnectError): ConnectError {
  return error.cause === undefined ? error : copyOf(error, error.rawMessage, undefined);
}

/**
 * A text that was cut may end in half a surrogate pair. That has no percent-encoding: making the trailers would throw.
 */
function wellFormed(error: ConnectError): ConnectError {
  return copyOf(error, error.rawMessage.toWellFormed(), error.cause);
}

function copyOf(error: ConnectError, message: string, cause: unknown): ConnectError {
  const { code, metadata, details } = error;
  const copy = new ConnectError(message, code, metadata, undefined, cause);
  copy.details = details;
  const reason = reasons.get(error);
  if (reason !== undefined) reasons.set(copy, reason);
  return copy;
}
