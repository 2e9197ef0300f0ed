import { constants, Http2ServerRequest } from 'node:http2';
import type { NodeRequest, NodeResponse } from './node-http.ts';

/** Cuts a response off that is not at its end in time: a client that doesn't read must not keep it for ever. */
export function endWithin(res: NodeResponse, timeoutMs: number): void {
  const timer = setTimeout(() => res.destroy(), timeoutMs).unref();
  res.once('close', () => clearTimeout(timer));
}

/**
 * Gives the end of a request so much time once its response is out: then an HTTP/2 client that still sends is told to stop
 * (RFC 9113 section 8.1), or a request without an end would keep its stream for ever. Not at once: clients such as Go's
 * drop a response whose reset comes before they have read it. (Over HTTP/1.1 node's own timeout for requests holds.)
 */
export function requireEndWithin(req: NodeRequest, timeoutMs: number): void {
  if (!(req instanceof Http2ServerRequest)) return;
  const { stream } = req;
  stream.once('finish', () => {
    if (req.complete) return;
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), timeoutMs).unref();
    stream.once('close', () => clearTimeout(timer));
  });
}
