import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';

/** What connect says of an answer that ends in the middle, as when a server or proxy goes away while it answers. */
export const brokenOff =
  /^protocol error: (missing (status|trailer|EndStreamResponse)|incomplete envelope|promised )/;

/**
 * Says INTERNAL, as other clients do, of an answer that breaks off: connect-es 2.2.0 says INVALID_ARGUMENT, as its
 * servers say it of requests.
 */
export const blameTheAnswer: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    if (!response.stream) return response;
    const { message } = response;
    const messages = async function* () {
      try {
        yield* message;
      } catch (error) {
        throw judged(error);
      }
    };
    return { ...response, message: messages() };
  } catch (error) {
    throw judged(error);
  }
};

function judged(error: unknown): unknown {
  if (!(error instanceof ConnectError) || error.isWireError || error.code !== Code.InvalidArgument)
    return error;
  if (!brokenOff.test(error.rawMessage)) return error;
  return new ConnectError(error.rawMessage, Code.Internal, error.metadata, undefined, error);
}
