import type { Registry } from '@bufbuild/protobuf';
import { Code, ConnectError, createContextValues, type HandlerContext } from '@connectrpc/connect';
import { createUniversalMethodHandler, type UniversalHandler } from '@connectrpc/connect/protocol';
import { createHandlerFactory as connect } from '@connectrpc/connect/protocol-connect';
import { findTrailerError } from '@connectrpc/connect/protocol-grpc';
import { createHandlerFactory as grpcWeb } from '@connectrpc/connect/protocol-grpc-web';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { Limits } from '../../limits.ts';
import type { OnCallEnd } from '../call/access-log.ts';
import { clampDeadlineMs, parseConnectTimeoutMs, parseGrpcTimeoutMs } from '../call/deadline.ts';
import { isSendable } from '../call/metadata.ts';
import type { CallPolicy } from '../call/method-call.ts';
import { binaryOptions, maxRequestBytes, type Route } from '../call/methods.ts';
import { requestId, requestIdHeader } from '../call/request-id.ts';
import { canceled, deadlineExceeded, rpcError } from '../errors.ts';
import type { NodeRequest, NodeResponse } from '../http/node-http.ts';
import { answerError } from '../http/not-found.ts';
import { endWithin } from '../http/response-end.ts';
import { acceptedCompressions } from '../message/compression.ts';
import { eachUnlessAborted, enforce, type Outcome, outcomeKey } from './enforce.ts';

/** A grpc-timeout has 8 digits. */
const maxGrpcTimeout = 99_999_999;

/** Serves gRPC-Web and Connect with connect's own handlers, over HTTP/1.1 and HTTP/2. */
export class ConnectHandler {
  readonly #handlers: ReadonlyMap<string, UniversalHandler>;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #limits: Limits;
  readonly #onEnd: OnCallEnd;
  readonly #calls = new Map<AbortController, { readonly isUntimed: boolean }>();

  constructor(routes: ReadonlyMap<string, Route>, policy: CallPolicy, types: Registry) {
    const { maxMessageBytes, compressMinBytes } = policy.limits;
    const options = {
      interceptors: [enforce, ...policy.interceptors],
      acceptCompression: acceptedCompressions,
      binaryOptions,
      readMaxBytes: maxRequestBytes(policy.limits),
      writeMaxBytes: maxMessageBytes,
      compressMinBytes,
      jsonOptions: { registry: types },
      // Called before connect reads the request, which can fail before an interceptor learns of the call.
      requestGate: (context: HandlerContext) => {
        context.values.get(outcomeKey).context = context;
      },
    };
    const protocols = [grpcWeb(options), connect(options)];
    this.#handlers = new Map(
      [...routes].map(([path, { spec }]) => [path, createUniversalMethodHandler(spec, protocols)]),
    );
    this.#routes = routes;
    this.#limits = policy.limits;
    this.#onEnd = policy.onEnd;
  }

  /** Takes the request if it is for a method; answers false, and leaves it alone, if not. */
  accept(req: NodeRequest, res: NodeResponse): boolean {
    const path = req.url?.split('?', 1)[0] ?? '';
    const handler = this.#handlers.get(path);
    const route = this.#routes.get(path);
    if (handler === undefined || route === undefined) return false;
    this.#serve(req, res, handler, route).catch((error: unknown) => {
      // The response could not be written: the client is gone.
      res.destroy(error instanceof Error ? error : undefined);
    });
    return true;
  }

  /** Ends every call that is still running; with `untimedOnly`, those that would not end by themselves. */
  abortAll(reason: ConnectError, untimedOnly: boolean): void {
    for (const [controller, { isUntimed }] of [...this.#calls]) {
      if (isUntimed || !untimedOnly) controller.abort(reason);
    }
  }

  async #serve(req: NodeRequest, res: NodeResponse, handler: UniversalHandler, route: Route): Promise<void> {
    const startedAtMs = performance.now();
    const id = requestId(req.headers[requestIdHeader]);
    req.headers[requestIdHeader] = id;
    res.setHeader(requestIdHeader, id);
    const outcome: Outcome = { status: undefined, error: undefined, context: undefined };
    const values = createContextValues().set(outcomeKey, outcome);
    const peer = `${req.socket.remoteAddress ?? ''}:${req.socket.remotePort ?? ''}`;
    const call = { method: route.path, startedAtMs, peer, requestId: id, headers: req.headers };
    let universal: ReturnType<typeof universalRequestFromNodeRequest>;
    try {
      universal = universalRequestFromNodeRequest(req, res, undefined, values);
    } catch (cause) {
      const error = rpcError('BAD_HOST', undefined, cause);
      answerError(req, res, error);
      endWithin(res, this.#limits.flushTimeoutMs);
      return this.#onEnd({ ...call, protocol: 'connect', error, timeoutMs: Number.NaN }, error.code);
    }

    const { protocol, timeoutMs } = this.#setDeadline(universal.header, route);
    const controller = new AbortController();
    const { signal } = controller;
    universal.signal.addEventListener('abort', () => controller.abort(canceled), { once: true });
    let timer: NodeJS.Timeout | undefined;
    // What is malformed is refused, but by whoever reads it.
    const limitMs = Number.isNaN(timeoutMs) ? this.#limits.defaultDeadlineMs : timeoutMs;
    const expire = () => {
      controller.abort(deadlineExceeded);
      // A client that doesn't read must not keep the call for ever.
      timer = setTimeout(() => res.destroy(), this.#limits.flushTimeoutMs);
    };
    const isUntimed = limitMs === Number.POSITIVE_INFINITY;
    if (isUntimed && route.spec.kind === 'server_streaming') {
      // A watch may last, but not before its one request is there.
      const requestTimer = setTimeout(expire, this.#limits.requestTimeoutMs);
      req.once('end', () => clearTimeout(requestTimer));
      timer = requestTimer;
    }
    // As for gRPC: the grain of timers has passed already.
    else if (limitMs <= 1) expire();
    else if (!isUntimed) timer = setTimeout(expire, limitMs);
    this.#calls.set(controller, { isUntimed });
    let response: AsyncGenerator<Uint8Array> | undefined;
    res.once('close', () => {
      clearTimeout(timer);
      // A write to a client that is gone may never come back: this ends the method's generator all the same.
      response?.return(undefined).catch(() => {});
      this.#calls.delete(controller);
      const { status, error } = outcomeOf(outcome, res, signal);
      // What no interceptor has seen could not be read: what connect says of it may quote it, a password included.
      const told =
        outcome.status === undefined && error ? new ConnectError('not readable', error.code) : error;
      this.#onEnd({ ...call, protocol, error: told, timeoutMs }, status);
    });
    // connect reads the request before it calls an interceptor: the deadline must hold there too. Where it stops
    // reading early, the connection must stay, or the response would be lost with it.
    const body = eachUnlessAborted<Uint8Array>(signal, req.iterator({ destroyOnReturn: false }));
    const answer = await handler({ ...universal, body, signal });
    // connect's own answer to bidi streaming over HTTP/1.1 closes the connection.
    const isClosing = answer.status === 505;
    for (const name of isClosing ? [] : [...(answer.header?.keys() ?? [])]) {
      if (!isSendable(name)) answer.header?.delete(name);
    }
    response = thenDiscard(req, answer.body);
    await universalResponseToNodeResponse({ ...answer, body: response }, res);
  }

  /** Writes the deadline that we grant into the header that connect reads it from. */
  #setDeadline(header: Headers, route: Route) {
    const isGrpcWeb = header.get('content-type')?.startsWith('application/grpc-web') === true;
    const name = isGrpcWeb ? 'grpc-timeout' : 'connect-timeout-ms';
    const parse = isGrpcWeb ? parseGrpcTimeoutMs : parseConnectTimeoutMs;
    const asked = parse(header.get(name) ?? undefined);
    const protocol = isGrpcWeb ? 'grpc-web' : 'connect';
    if (asked === undefined && route.isUntimed) return { protocol, timeoutMs: Number.POSITIVE_INFINITY };
    const timeoutMs = clampDeadlineMs(asked, this.#limits);
    // What is malformed is left for connect to refuse.
    if (!Number.isNaN(timeoutMs))
      header.set(
        name,
        isGrpcWeb ? `${Math.min(Math.ceil(timeoutMs), maxGrpcTimeout)}m` : `${Math.ceil(timeoutMs)}`,
      );
    return { protocol, timeoutMs };
  }
}

/** The body of a response; at its end, what is left of the request is read, for the client may wait for that. */
async function* thenDiscard(req: NodeRequest, body: AsyncIterable<Uint8Array> | null | undefined) {
  try {
    if (body) yield* body;
  } finally {
    req.resume();
  }
}

/**
 * How a call ended, also one that failed before or after the interceptors: its request could not be read, or its
 * response not be sent.
 */
function outcomeOf({ status, error, context }: Outcome, res: NodeResponse, client: AbortSignal) {
  const reason: unknown = context?.signal.aborted ? context.signal.reason : undefined;
  if (!status && reason instanceof ConnectError) return { status: reason.code, error: reason };
  const sent = context?.protocolName === 'grpc-web' && findTrailerError(context.responseTrailer);
  if (!status && sent) return { status: sent.code, error: sent };
  if (status !== undefined) return { status, error };
  if (!res.headersSent && client.aborted && client.reason instanceof ConnectError) {
    return { status: client.reason.code, error: client.reason };
  }
  // connect has answered before it knew the call: a method or content type that is not possible here.
  return {
    status: res.statusCode < 500 || res.statusCode === 505 ? Code.Unimplemented : Code.Internal,
    error,
  };
}
