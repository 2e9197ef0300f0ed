import type { ConnectError } from '@connectrpc/connect';
import { codeToHttpStatus, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import type { OnCallEnd } from '../call/access-log.ts';
import { requestId, requestIdHeader } from '../call/request-id.ts';
import { errorTrailers } from '../call/status.ts';
import { rpcError } from '../errors.ts';
import type { NodeRequest, NodeResponse } from './node-http.ts';

/** Content types of calls, without those of gRPC itself. */
const callContentType = /^application\/(?:(grpc-web)|(?:connect\+)?(?:proto|json)\b)/;

/**
 * Answers a request that nothing else took. A call of an unknown method gets UNIMPLEMENTED in the words of
 * its protocol, where connect-node alone answers with a bare 404; anything else is a 404 for people.
 */
export function answerUnknown(req: NodeRequest, res: NodeResponse, onEnd: OnCallEnd): void {
  const startedAtMs = performance.now();
  const path = req.url?.split('?', 1)[0] ?? '';
  const type = callContentType.exec(req.headers['content-type'] ?? '');
  if (type === null) {
    req.resume();
    return respond(
      res,
      404,
      [['content-type', 'text/plain']],
      `There is nothing at ${req.method ?? ''} ${path}.\n`,
    );
  }
  const id = requestId(req.headers[requestIdHeader]);
  res.setHeader(requestIdHeader, id);
  const error = rpcError('UNKNOWN_METHOD', path);
  // 404 tells Connect clients the code even where they don't read the body.
  answerError(req, res, error, 404);
  onEnd(
    {
      method: path,
      protocol: type[1] ?? 'connect',
      error,
      startedAtMs,
      timeoutMs: Number.POSITIVE_INFINITY,
      peer: `${req.socket.remoteAddress ?? ''}:${req.socket.remotePort ?? ''}`,
      requestId: id,
      headers: req.headers,
    },
    error.code,
  );
}

/** Answers with an error in the words of the request's protocol; in those of Connect unless it is gRPC-Web. */
export function answerError(
  req: NodeRequest,
  res: NodeResponse,
  error: ConnectError,
  status: number = codeToHttpStatus(error.code),
): void {
  const contentType = req.headers['content-type'] ?? '';
  // Not read: nothing in it could change the answer.
  req.resume();
  if (contentType.startsWith('application/grpc-web')) {
    // "Trailers-Only", as for gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
    respond(res, 200, [['content-type', contentType], ...errorTrailers(error, undefined)], '');
  } else {
    respond(res, status, [['content-type', 'application/json']], errorToJsonBytes(error, undefined));
  }
}

function respond(
  res: NodeResponse,
  status: number,
  headers: readonly [string, string][],
  body: string | Uint8Array,
): void {
  res.statusCode = status;
  for (const [name, value] of headers) res.setHeader(name, value);
  res.end(body);
}
