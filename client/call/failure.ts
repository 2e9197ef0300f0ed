import { Code, ConnectError } from '@connectrpc/connect';
import { fateOf } from '../connection/fate.ts';
import { type CodedError, codedError, handshakeFailure } from '../connection/handshake.ts';
import { brokenOff } from '../transport/failed-answer.ts';
import { CallError } from './call-error.ts';

/** Node's codes for a connection that could not be made or was lost. connect-node knows some of them, as ABORTED. */
const connectionCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ERR_HTTP2_ERROR',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_SOCKET_CONNECTION_TIMEOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
]);

/**
 * Resets of a stream that mean more than INTERNAL, by the name that Node puts into its message, which is all that
 * connect-node 2.2.0 passes on (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors).
 */
const resetCodes: Readonly<Record<string, Code>> = {
  NGHTTP2_REFUSED_STREAM: Code.Unavailable,
  NGHTTP2_ENHANCE_YOUR_CALM: Code.ResourceExhausted,
  NGHTTP2_INADEQUATE_SECURITY: Code.PermissionDenied,
};

/**
 * What a call failed with, as a CallError. Connections that can't be made or are lost become UNAVAILABLE, as
 * gRPC says (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md), and a deadline says how long it was.
 */
export function toCallError(reason: unknown, timeoutMs?: number): CallError {
  if (reason instanceof CallError) return reason;
  const error = ConnectError.from(reason);
  if (error.isWireError) return new CallError(error);
  if (error.code === Code.DeadlineExceeded && timeoutMs !== undefined) {
    return new CallError(error, { message: `the deadline of ${timeoutMs} ms passed` });
  }
  const fate = fateOf(error);
  const neverSent = fate === 'unsent' || fate === 'not HTTP/2';
  if (fate === 'not HTTP/2') {
    return new CallError(error, { code: Code.Unavailable, neverSent });
  }
  const handshake = handshakeFailure(error);
  if (handshake) {
    return new CallError(error, {
      message: `TLS failed: ${handshake.message}`,
      code: Code.Unavailable,
      // With TLS 1.3 the server judges the client's certificate after the client has sent its first call.
      neverSent: neverSent || handshake.about !== 'server certificate',
    });
  }
  const coded = codedError(error);
  if (coded && isConnectionError(coded)) {
    const message = `no connection: ${textOf(coded)}`;
    return new CallError(error, { message, code: Code.Unavailable, neverSent });
  }
  if (brokenOff.test(error.rawMessage)) {
    const message = `the answer broke off: ${error.rawMessage}`;
    return new CallError(error, { message, code: Code.Unavailable });
  }
  const reset = /NGHTTP2_[A-Z_]+$/.exec(error.rawMessage)?.[0] ?? '';
  return new CallError(error, { code: resetCodes[reset], neverSent });
}

/** Whether trying again, or waiting, can't help: the two sides do not speak the same, or do not trust each other. */
export function isMismatch(error: CallError): boolean {
  return handshakeFailure(error) !== undefined || fateOf(error) === 'not HTTP/2';
}

function isConnectionError(error: CodedError): boolean {
  return connectionCodes.has(error.code) || ('syscall' in error && error.syscall === 'connect');
}

/** Where a name has several addresses, Node puts what happened at each into an error that says nothing itself. */
function textOf(error: Error): string {
  return error instanceof AggregateError
    ? error.errors.map((it) => (it instanceof Error ? it.message : String(it))).join(', ')
    : error.message;
}
