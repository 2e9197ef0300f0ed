import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { ConnectError } from '@connectrpc/connect';
import { RunningCalls } from '../call/deadline-wheel.ts';
import { type CallPolicy, GrpcCall, responseHeaders } from '../call/method-call.ts';
import type { Route } from '../call/methods.ts';
import { requestId, requestIdHeader } from '../call/request-id.ts';
import { errorTrailers } from '../call/status.ts';
import { rpcError } from '../errors.ts';
import { Http2CallStream } from '../http2/node/stream-exchange.ts';

/** Serves gRPC on the streams of HTTP/2 sessions. */
export class GrpcHandler {
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #policy: CallPolicy;
  readonly #running = new RunningCalls<GrpcCall>();

  constructor(routes: ReadonlyMap<string, Route>, policy: CallPolicy) {
    this.#routes = routes;
    this.#policy = policy;
  }

  /** Takes the stream if it is a gRPC call; answers false, and leaves it alone, if it is something else. */
  accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const contentType = headers['content-type'];
    if (contentType === undefined || headers[':method'] !== 'POST') return false;
    const isBinary = contentType === 'application/grpc' || contentType === 'application/grpc+proto';
    if (!isBinary && !grpcContentType.test(contentType)) return false;
    const isJson = !isBinary && contentType.toLowerCase().includes('+json');
    const route = this.#routes.get(headers[':path'] ?? '');
    const callStream = new Http2CallStream(stream, headers);
    if (route === undefined) {
      this.#refuse(callStream, headers);
      return true;
    }
    new GrpcCall(callStream, route, !isJson, this.#policy, this.#running).start();
    return true;
  }

  /** Ends every call that is still running; with `untimedOnly`, those that would not end by themselves. */
  abortAll(reason: ConnectError, untimedOnly: boolean): void {
    for (const call of this.#running.list()) if (call.isUntimed || !untimedOnly) call.abort(reason);
  }

  #refuse(stream: Http2CallStream, headers: IncomingHttpHeaders): void {
    const id = requestId(headers[requestIdHeader]);
    // A query may hold what is not for logs, and no method has a name that long.
    const path = headers[':path']?.split('?', 1)[0]?.slice(0, maxPathCharacters) ?? '';
    const error = rpcError('UNKNOWN_METHOD', path);
    stream.receive({ received() {}, receivedAll() {}, drained() {}, closed() {} });
    const trailers = [...errorTrailers(error, undefined)].flat();
    stream.endWithHeaders([...responseHeaders(true, id), ...trailers]);
    this.#policy.onEnd(
      {
        method: path,
        protocol: 'grpc',
        error,
        startedAtMs: performance.now(),
        timeoutMs: Number.POSITIVE_INFINITY,
        peer: stream.peer,
        requestId: id,
        headers,
      },
      error.code,
    );
  }
}

/** What is told of a path that leads nowhere. */
const maxPathCharacters = 256;

/**
 * The content types of gRPC with the message formats that we know. Others get 415 from connect's handlers.
 * Source: "Content-Type" in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
const grpcContentType = /^application\/grpc(?:\+(?:proto|json))?(?:;.*)?$/i;
