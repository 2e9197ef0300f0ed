import { once } from 'node:events';
import { toJsonString } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { codeToHttpStatus, codeToString } from '@connectrpc/connect/protocol-connect';
import type { Users } from '../../proto/gen/users_pb.js';
import { GetUsersResultSchema } from '../../proto/gen/users_types_pb.js';
import type { Limits } from '../limits.ts';
import type { HttpHandler } from '../rpc/http/http-call.ts';
import type { NodeRequest, NodeResponse } from '../rpc/http/node-http.ts';
import { parseUsersQuery, QueryError } from './users-query.ts';

/** Where the users are found; `/users` alone is not worth a redirect. */
const paths: ReadonlySet<string> = new Set(['/users/', '/users']);

/**
 * Answers `GET /users/` with the results of `GetUsers` as newline-delimited JSON, each as it arrives:
 * `{"user":{"username":"alexa","userId":7}}`, or `{"missing":{…}}`. `users-query.ts` describes the query.
 *
 * An error is a line too, `{"error":{"code":"unavailable","message":"…"}}`, and it is the last one. If it is also
 * the first, the HTTP status says the same; else the status has left already, and the line alone does. When the
 * client goes away, the call is canceled; a client that reads slowly is waited for.
 *
 * @returns a handler for HTTP/1.1 and HTTP/2, which leaves the requests of other paths
 */
export function createUsersHandler(
  client: Client<typeof Users>,
  limits: Pick<Limits, 'defaultDeadlineMs' | 'maxDeadlineMs' | 'flushTimeoutMs'>,
): HttpHandler {
  async function answer(request: NodeRequest, response: NodeResponse): Promise<ConnectError | undefined> {
    if (request.method !== 'GET') {
      response.setHeader('allow', 'GET');
      return endWithError(response, new ConnectError('only GET is possible here', Code.Unimplemented), 405);
    }
    const call = new AbortController();
    let isOpen = true;
    let timer: NodeJS.Timeout | undefined;
    response.once('close', () => {
      isOpen = false;
      clearTimeout(timer);
      call.abort();
    });
    // What it tells is told by 'close' too; without a listener it would end the process.
    response.on('error', () => {});
    try {
      const { users, timeoutMs = limits.defaultDeadlineMs } = parseUsersQuery(request.url ?? '');
      // Not the client's own deadline: this one also ends the wait for somebody who does not read.
      const atDeadline = () => {
        call.abort(new ConnectError('the deadline passed before the call was done', Code.DeadlineExceeded));
        timer = setTimeout(() => response.destroy(), limits.flushTimeoutMs);
      };
      // The grain of timers has passed before anything could be done.
      if (timeoutMs <= 1) atDeadline();
      else timer = setTimeout(atDeadline, Math.min(timeoutMs, limits.maxDeadlineMs));
      prepareHead(response, 200);
      const { signal } = call;
      for await (const result of client.getUsers({ user: [...users] }, { signal })) {
        const isFull = !response.write(`${toJsonString(GetUsersResultSchema, result)}\n`);
        if (isFull) await once(response, 'drain', { signal });
      }
      response.end();
      return undefined;
    } catch (error) {
      if (!isOpen) return new ConnectError('the client went away', Code.Canceled);
      return endWithError(response, errorOf(call.signal.aborted ? call.signal.reason : error));
    }
  }

  return (request, response) => {
    if (!paths.has(request.url?.split('?', 1)[0] ?? '')) return false;
    return answer(request, response).catch((error: unknown) => {
      response.destroy();
      return errorOf(error);
    });
  };
}

/** Whatever is not an error of the call is a fault of ours: its message is not for the client. */
function errorOf(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  if (thrown instanceof QueryError) return new ConnectError(thrown.message, Code.InvalidArgument);
  return new ConnectError('internal error', Code.Internal, undefined, undefined, thrown);
}

/** Not sent before the first line: until then an error can still have a status of its own. */
function prepareHead(response: NodeResponse, status: number): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/x-ndjson');
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
}

function endWithError(response: NodeResponse, error: ConnectError, status = codeToHttpStatus(error.code)) {
  if (!response.headersSent) prepareHead(response, status); // also over the 200 that was prepared
  const { code, rawMessage: message } = error;
  response.end(`${JSON.stringify({ error: { code: codeToString(code), message } })}\n`);
  return error;
}
