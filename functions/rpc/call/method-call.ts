import { create, type Message } from '@bufbuild/protobuf';
import type { ConnectError, Interceptor } from '@connectrpc/connect';
import type { Compression } from '@connectrpc/connect/protocol';
import type { Limits } from '../../limits.ts';
import { canceled, deadlineExceeded, rpcError, toConnectError } from '../errors.ts';
import type { CallReceiver, CallStream } from '../http/exchange.ts';
import { type Compressions, negotiate } from '../message/compression.ts';
import { compressedFlag, encodeFrame } from '../message/frame.ts';
import { RequestReader } from '../message/request-reader.ts';
import { type ResponseSink, ResponseStream } from '../message/response-stream.ts';
import type { CallRecord, OnCallEnd } from './access-log.ts';
import { CallContext } from './context.ts';
import { clampDeadlineMs, parseGrpcTimeoutMs } from './deadline.ts';
import type { RunningCalls } from './deadline-wheel.ts';
import { type Input, invokeMany, invokeSingle } from './invoke.ts';
import { appendTo, metadataOf } from './metadata.ts';
import { maxRequestBytes, type Route } from './methods.ts';
import { requestId, requestIdHeader } from './request-id.ts';
import { errorTrailers, ok } from './status.ts';

/** What all calls of a server have in common. */
export interface CallPolicy {
  readonly interceptors: readonly Interceptor[];
  readonly limits: Limits;
  /** @see RpcServerOptions.keepsMessages */
  readonly isBatching: boolean;
  readonly onEnd: OnCallEnd;
}

const okTrailers = { 'grpc-status': '0' };

/**
 * One gRPC call, from its headers to its trailers. What a small unary call does not need is not made:
 * memory that is used for a moment costs more time here than anything else.
 */
export class GrpcCall implements CallReceiver, CallRecord {
  readonly protocol = 'grpc';
  readonly requestId: string;
  readonly startedAtMs = performance.now();
  readonly timeoutMs: number;
  readonly #stream: CallStream;
  readonly #route: Route;
  readonly #isBinary: boolean;
  readonly #policy: CallPolicy;
  readonly #running: RunningCalls<GrpcCall>;
  readonly #context: CallContext;
  #slot: Set<GrpcCall> | undefined;
  /** Once it is decided: `ok` or a code. */
  #status: number | undefined;
  #error: ConnectError | undefined;
  #compressions: Compressions | undefined;
  #request: RequestReader | undefined;
  #areHeadersSent = false;
  #responses: ResponseStream | undefined;
  /** Its deadline has passed: what is left of it is being read, or not. */
  #isFlushing = false;

  constructor(
    stream: CallStream,
    route: Route,
    isBinary: boolean,
    policy: CallPolicy,
    running: RunningCalls<GrpcCall>,
  ) {
    const { headers } = stream;
    this.#stream = stream;
    this.#route = route;
    this.#isBinary = isBinary;
    this.#policy = policy;
    this.#running = running;
    this.requestId = requestId(headers[requestIdHeader]);
    const askedMs = parseGrpcTimeoutMs(headers['grpc-timeout']);
    const isForever = askedMs === undefined && route.isUntimed;
    this.timeoutMs = isForever ? Number.POSITIVE_INFINITY : clampDeadlineMs(askedMs, policy.limits);
    this.#context = new CallContext(route.spec.method, headers, this.requestId, this.#deadlineAtMs);
  }

  get method(): string {
    return this.#route.path;
  }

  get peer(): string {
    return this.#stream.peer;
  }

  get headers(): CallRecord['headers'] {
    return this.#stream.headers;
  }

  get error(): ConnectError | undefined {
    return this.#error;
  }

  /** Whether it lasts as long as its client wants. */
  get isUntimed(): boolean {
    return this.timeoutMs === Number.POSITIVE_INFINITY;
  }

  get #deadlineAtMs(): number {
    return this.startedAtMs + this.timeoutMs;
  }

  /** Begins to read the request and, when there is enough of it, calls the method. */
  start(): void {
    this.#stream.receive(this);
    if (Number.isNaN(this.timeoutMs)) return this.#fail(rpcError('BAD_TIMEOUT'));
    // Timers have a grain of 1 ms, and C core rounds up to it: that time has passed before a method could do anything.
    if (this.timeoutMs <= 1) return this.#fail(deadlineExceeded);
    const { kind } = this.#route.spec;
    const takesStream = kind === 'client_streaming' || kind === 'bidi_streaming';
    const { limits } = this.#policy;
    // A watch may last, but not before its one request is there.
    const isRequestTimed = this.isUntimed && !takesStream;
    const dueAtMs = isRequestTimed ? this.startedAtMs + limits.requestTimeoutMs : this.#deadlineAtMs;
    this.#slot = this.#running.add(this, dueAtMs);
    const { headers } = this.#stream;
    if (headers['grpc-encoding'] !== undefined || headers['grpc-accept-encoding'] !== undefined) {
      this.#compressions = negotiate(headers);
      if (this.#compressions.error !== undefined) return this.#fail(this.#compressions.error);
    }
    this.#request = new RequestReader({
      serialization: this.#route.serialization.getI(this.#isBinary),
      compression: this.#compressions?.request,
      maxBytes: maxRequestBytes(limits),
    });
    if (takesStream) {
      this.#run(this.#request.messages(this.#stream, limits.maxQueuedMessages));
    }
  }

  received(chunk: Buffer): void {
    if (this.#status !== undefined) return;
    try {
      this.#request?.push(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  receivedAll(): void {
    if (this.#status !== undefined) return;
    if (this.isUntimed) {
      this.#slot?.delete(this);
      this.#slot = this.#running.add(this, this.#deadlineAtMs);
    }
    try {
      const message = this.#request?.end();
      if (message instanceof Promise) {
        message.then(
          (it) => this.#run(it),
          (error) => this.#fail(error),
        );
      } else if (message !== undefined) this.#run(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  drained(): void {
    this.#responses?.wake();
  }

  closed(): void {
    this.#slot?.delete(this);
    this.#responses?.wake();
    if (this.#status === undefined) this.#settle(canceled);
  }

  /** Ends the call from the server's side. */
  abort(reason: ConnectError): void {
    this.#fail(reason);
  }

  /**
   * Called when the deadline has passed, and again, unless the stream is closed by then, once the client has had the
   * time to read what is left: one that doesn't read must not keep the call for ever.
   */
  expire(): void {
    if (this.#isFlushing) return this.#stream.reset();
    this.#isFlushing = true;
    this.#fail(deadlineExceeded);
    this.#slot = this.#running.add(this, performance.now() + this.#policy.limits.flushTimeoutMs);
  }

  #run(input: Input): void {
    if (this.#status !== undefined) return;
    const { spec } = this.#route;
    const { interceptors } = this.#policy;
    try {
      if (spec.kind !== 'unary' && spec.kind !== 'client_streaming') {
        const output = invokeMany(spec, input, this.#context, interceptors);
        return this.#respondMany(output);
      }
      const output = invokeSingle(spec, input, this.#context, interceptors);
      if (!(output instanceof Promise)) this.#respondSingle(output);
      else
        output.then(
          (it) => this.#respondSingle(it),
          (error) => this.#fail(error),
        );
    } catch (error) {
      this.#fail(error);
    }
  }

  #respondSingle(output: Message): void {
    if (this.#status !== undefined) return;
    try {
      const bytes = this.#serialize(output);
      const compression = this.#compressionFor(bytes);
      if (!compression) return this.#succeed(encodeFrame(0, bytes));
      compression
        .compress(bytes)
        .then((it) => this.#succeed(encodeFrame(compressedFlag, it), compression.name))
        .catch((error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  #respondMany(output: AsyncIterable<Message> | Promise<AsyncIterable<Message>>): void {
    const call = this;
    const compression = this.#compressions?.response;
    const sink: ResponseSink = {
      get isOver() {
        return call.#status !== undefined;
      },
      send: (frames) => {
        this.#sendHeaders(compression?.name);
        return this.#stream.send(frames);
      },
      succeed: (frames) => this.#succeed(frames, compression?.name),
      fail: (thrown) => this.#fail(thrown),
    };
    const { limits, isBatching } = this.#policy;
    const format = { route: this.#route, isBinary: this.#isBinary, compression, limits, isBatching };
    this.#responses = new ResponseStream(sink, format);
    this.#responses.run(output);
  }

  #serialize(message: Message): Uint8Array {
    const complete = create(this.#route.spec.method.output, message);
    return this.#route.serialization.getO(this.#isBinary).serialize(complete);
  }

  #compressionFor(bytes: Uint8Array): Compression | null | undefined {
    return bytes.length < this.#policy.limits.compressMinBytes ? undefined : this.#compressions?.response;
  }

  #headers(encoding: string | undefined): string[] {
    const headers = responseHeaders(this.#isBinary, this.requestId);
    if (encoding !== undefined) headers.push('grpc-encoding', encoding);
    for (const [name, value] of metadataOf(this.#context.sentHeader)) headers.push(name, value);
    return headers;
  }

  #sendHeaders(encoding: string | undefined): void {
    if (this.#areHeadersSent) return;
    this.#areHeadersSent = true;
    this.#stream.sendHeaders(this.#headers(encoding));
  }

  #succeed(frames: Buffer | undefined, encoding?: string): void {
    if (this.#status !== undefined) return;
    this.#sendHeaders(encoding);
    const { sentTrailer } = this.#context;
    const trailers = sentTrailer ? appendTo({ ...okTrailers }, metadataOf(sentTrailer)) : okTrailers;
    this.#stream.end(frames, trailers);
    this.#settle(undefined);
  }

  #fail(thrown: unknown): void {
    if (this.#status !== undefined) return;
    const error = toConnectError(thrown, this.#context.usedSignal);
    const trailers = errorTrailers(error, this.#context.sentTrailer);
    // Headers that the method has set must not turn into trailers, as they would in a Trailers-Only response.
    if (this.#context.sentHeader !== undefined) this.#sendHeaders(undefined);
    if (this.#areHeadersSent) this.#stream.end(undefined, appendTo({}, trailers));
    else this.#stream.endWithHeaders([...this.#headers(undefined), ...[...trailers].flat()]);
    this.#settle(error);
  }

  #settle(error: ConnectError | undefined): void {
    this.#status = error?.code ?? ok;
    this.#error = error;
    if (error !== undefined) this.#context.abort(error);
    this.#request?.stop(error);
    this.#responses?.wake();
    this.#policy.onEnd(this, this.#status);
  }
}

/** The headers that every response has, names and values in turn. */
export function responseHeaders(isBinary: boolean, id: string): string[] {
  const contentType = isBinary ? 'application/grpc+proto' : 'application/grpc+json';
  return [':status', '200', 'content-type', contentType, requestIdHeader, id];
}
