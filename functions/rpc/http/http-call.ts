import type { ConnectError } from '@connectrpc/connect';
import type { OnCallEnd } from '../call/access-log.ts';
import { requestId, requestIdHeader } from '../call/request-id.ts';
import { ok } from '../call/status.ts';
import type { NodeRequest, NodeResponse } from './node-http.ts';

/**
 * Answers plain HTTP requests beside the calls. Returns false to leave a request to others, else a promise of how
 * it ended, for the log: the error that the client was told, or nothing.
 */
export type HttpHandler = (req: NodeRequest, res: NodeResponse) => false | Promise<ConnectError | undefined>;

/** Has a request answered by a handler, with an id and a line in the log as for calls. False if it is left. */
export function serveHttp(
  handler: HttpHandler,
  req: NodeRequest,
  res: NodeResponse,
  onEnd: OnCallEnd,
): boolean {
  const startedAtMs = performance.now();
  const id = requestId(req.headers[requestIdHeader]);
  res.setHeader(requestIdHeader, id);
  const answer = handler(req, res);
  if (answer === false) return false;
  const call = {
    method: req.url?.split('?', 1)[0] ?? '',
    protocol: 'http',
    startedAtMs,
    timeoutMs: Number.POSITIVE_INFINITY,
    peer: `${req.socket.remoteAddress ?? ''}:${req.socket.remotePort ?? ''}`,
    requestId: id,
    headers: req.headers,
  };
  answer.then((error) => onEnd({ ...call, error }, error?.code ?? ok));
  return true;
}
