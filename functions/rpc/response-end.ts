import { constants, Http2ServerRequest } from 'node:http2';
import type { NodeRequest, NodeResponse } from './node-http.ts';

/** Cuts a response off that is not at its end in time: a client that doesn't read must not keep it for ever. */
export function endWithin(res: NodeResponse, timeoutMs: number): void {
  const timer = setTimeout(() => res.destroy(), timeoutMs).unref();
  res.once('close', () => clearTimeout(timer));
}

/**
 * Drops what is left of a request whose answer does not depend on it. Over HTTP/1.1 it must be read all the same, as the
 * next request comes after it; over HTTP/2 a client that still sends is told to stop once the response is out
 * (RFC 9113 section 8.1), or a request without an end would keep its stream for ever.
 */
export function dismiss(req: NodeRequest): void {
  req.resume();
  if (!(req instanceof Http2ServerRequest)) return;
  const { stream } = req;
  const stop = () => {
    if (!req.complete) stream.close(constants.NGHTTP2_NO_ERROR);
  };
  // In a later turn: the reset would overtake the response.
  if (stream.writableFinished) setImmediate(stop);
  else stream.once('finish', () => setImmediate(stop));
}
