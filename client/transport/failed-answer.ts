import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';

/** What connect says of an answer that ends in the middle, as when a server or proxy goes away while it answers. */
export const brokenOff =
  /^protocol error: (missing (status|trailer|EndStreamResponse)|incomplete envelope|promised )/;

/**
 * Says of an answer that fails what other clients say, and connect-es 2.2.0 does not:
 * - INTERNAL if it breaks off, instead of INVALID_ARGUMENT, as its servers say of requests;
 * - DEADLINE_EXCEEDED if the server resets it with CANCEL once the deadline has passed: its timer was first. grpc-go's
 *   client does the same (https://github.com/grpc/grpc-go/blob/master/internal/transport/http2_client.go,
 *   `handleRSTStream`).
 */
export const judgeFailure: Interceptor = (next) => async (request) => {
  // connect-es writes milliseconds for both protocols.
  const { header, signal } = request;
  const timeout = header.get('grpc-timeout') ?? header.get('connect-timeout-ms') ?? 'Infinity';
  const deadlineMs = performance.now() + Number.parseFloat(timeout);
  try {
    const response = await next(request);
    if (!response.stream) return response;
    const { message } = response;
    const messages = async function* () {
      try {
        yield* message;
      } catch (error) {
        throw judged(error, deadlineMs, signal);
      }
    };
    return { ...response, message: messages() };
  } catch (error) {
    throw judged(error, deadlineMs, signal);
  }
};

function judged(error: unknown, deadlineMs: number, signal: AbortSignal): unknown {
  if (!(error instanceof ConnectError) || error.isWireError) return error;
  const { code, rawMessage, metadata } = error;
  if (code === Code.InvalidArgument && brokenOff.test(rawMessage)) {
    return new ConnectError(rawMessage, Code.Internal, metadata, undefined, error);
  }
  // The caller, and the client's own deadline, end it by the signal.
  if (code === Code.Canceled && !signal.aborted && performance.now() >= deadlineMs) {
    return new ConnectError(rawMessage, Code.DeadlineExceeded, metadata, undefined, error);
  }
  return error;
}
