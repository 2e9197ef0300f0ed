import type { Interceptor } from '@connectrpc/connect';

/**
 * Hands on the headers of an answer that is nothing but headers as its trailers too, which they are ("Trailers-Only",
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses): connect-es 2.2.0 leaves the trailers of a
 * stream empty then, unless it fails.
 */
export const trailersOnly: Interceptor = (next) => async (request) => {
  const response = await next(request);
  if (response.stream && response.header.has('grpc-status')) {
    for (const [name, value] of response.header) response.trailer.append(name, value);
  }
  return response;
};
