import { Code, ConnectError } from '@connectrpc/connect';
import { codedError, handshakeFailure } from '../connection/handshake.ts';
import { brokenOff } from '../transport/broken-off.ts';
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

/** NGHTTP2_ERR_PROTO: Node reports it if the first thing that a server says is no HTTP/2 (`Http2Session::OnNghttpError`). */
const notHttp2 = -505;

const unsent = new WeakSet<Error>();

/** Notes that the calls which fail with this error can't have reached the server. */
export function markUnsent(reason: unknown): void {
  if (reason instanceof Error) unsent.add(reason);
}

function isUnsent(reason: unknown): boolean {
  for (let error = reason; error instanceof Error; error = error.cause) {
    if (unsent.has(error)) return true;
  }
  return false;
}

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
  const neverSent = isUnsent(error);
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
  if (coded?.code === 'ERR_HTTP2_ERROR' && 'errno' in coded && coded.errno === notHttp2) {
    const message = 'what listens there does not speak HTTP/2, which gRPC needs';
    return new CallError(error, { message, code: Code.Unavailable, neverSent: true });
  }
  if (coded && connectionCodes.has(coded.code)) {
    const message = `no connection: ${error.rawMessage}`;
    return new CallError(error, { message, code: Code.Unavailable, neverSent });
  }
  if (brokenOff.test(error.rawMessage)) {
    const message = `the answer broke off: ${error.rawMessage}`;
    return new CallError(error, { message, code: Code.Unavailable });
  }
  const reset = /NGHTTP2_[A-Z_]+$/.exec(error.rawMessage)?.[0] ?? '';
  return new CallError(error, { code: resetCodes[reset], neverSent });
}
