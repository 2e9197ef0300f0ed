import http2, {
  type Http2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Connection } from '../../call/connection.ts';
import { type Exchange, isHost, type Receiver, requestEndGraceMs } from '../../http/exchange.ts';
import type { EngineParts } from '../engine.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = http2.constants;

// gRPC knows no Date header, and making it costs time. (`sendDate` is missing in the types of Node 24.)
const withTrailers = { waitForTrailers: true, sendDate: false };
// Without trailers too we end the stream ourselves: node would end it before it hears that the last write is done, and
// make an error of that, with its stack, for every call.
const withoutTrailers = { waitForTrailers: true };
const trailersOnly = { endStream: true, sendDate: false };
const withoutBody = { endStream: true };

/** Where a stream keeps its exchange, so that all streams share their listeners. */
const carrier = Symbol('carrier');
type CarrierStream = ServerHttp2Stream & { [carrier]: StreamExchange };

/** An exchange on the core stream API of node:http2: its compatibility API costs more than a small call. */
export class StreamExchange implements Exchange {
  readonly headers: IncomingHttpHeaders;
  readonly headerBytes: number;
  readonly connection: Connection;
  readonly isDuplex = true;
  extraHeaders: readonly string[] = [];
  sentStatus: string | undefined;
  readonly #stream: CarrierStream;
  /** A stream that is closed knows it no more. */
  readonly #session: Http2Session | undefined;
  readonly #parts: EngineParts;
  #isCut = false;
  /** Whether we have reset the stream. */
  #isReset = false;
  readonly #openedAtMs = performance.now();
  #answerTimer: NodeJS.Timeout | undefined;
  // For the listeners, which all streams share.
  receiver: Receiver | undefined;
  trailers: OutgoingHttpHeaders | undefined;
  isRequestComplete = false;
  /** An answer by headers alone that waits for the end of the request. */
  heldAnswer: string[] | undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    headerBytes: number,
    connection: Connection,
    parts: EngineParts,
  ) {
    this.headers = headers;
    this.headerBytes = headerBytes;
    this.connection = connection;
    this.#parts = parts;
    this.#session = stream.session;
    this.#stream = Object.assign(stream, { [carrier]: this });
  }

  get method(): string {
    return this.headers[':method'] ?? '';
  }

  get url(): string {
    return this.headers[':path'] ?? '';
  }

  get hasHost(): boolean {
    return isHost(this.headers[':authority'] ?? this.headers.host);
  }

  receive(receiver: Receiver): void {
    this.receiver = receiver;
    this.#parts.counts.streams += 1;
    this.#stream.on('data', onData);
    this.#stream.on('end', onEnd);
    this.#stream.on('close', onClose);
    this.#stream.on('error', onError);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  sendHeaders(headers: string[], trailersFollow: boolean): void {
    if (!this.#takesHeaders) return;
    this.sentStatus = headers[1];
    if (this.extraHeaders.length > 0) headers.push(...this.extraHeaders);
    if (this.method === 'HEAD') return this.#stream.respond(headers, withoutBody);
    this.#stream.respond(headers, trailersFollow ? withTrailers : withoutTrailers);
    this.#stream.on('wantTrailers', onWantTrailers);
  }

  send(bytes: Uint8Array): boolean {
    if (this.#isGone || this.#stream.write(bytes)) return true;
    this.#stream.once('drain', () => this.receiver?.drained());
    return false;
  }

  end(bytes: Uint8Array | undefined, trailers?: OutgoingHttpHeaders): void {
    if (this.#isGone) return;
    this.trailers = trailers;
    if (trailers === undefined && !this.isRequestComplete) this.#stopRequestInTime();
    this.#stream.end(bytes);
  }

  /**
   * The rest of a small request is usually just behind its headers, so that an early answer waits for it a moment: curl
   * 7.88 for one hangs when a response has ended before its request.
   */
  endWithHeaders(headers: string[]): void {
    if (!this.#takesHeaders) return;
    const waitMs = this.#openedAtMs + requestEndGraceMs - performance.now();
    this.heldAnswer = headers;
    if (this.isRequestComplete || waitMs <= 0) return this.sendHeldAnswer();
    this.#answerTimer = setTimeout(() => this.sendHeldAnswer(), waitMs).unref();
  }

  sendHeldAnswer(): void {
    const headers = this.heldAnswer;
    this.forgetHeldAnswer();
    if (headers === undefined || !this.#takesHeaders) return;
    this.#stream.respond(headers, trailersOnly);
    if (!this.isRequestComplete) stopRequestSoon(this.#stream);
  }

  forgetHeldAnswer(): void {
    this.heldAnswer = undefined;
    clearTimeout(this.#answerTimer);
  }

  /**
   * Resets the stream. That needs no room in any window: where it can't be sent in `stallTimeoutMs`, the client reads
   * nothing of the connection, and what is queued on it would stay until it ends. (The session can't end it: it waits
   * for the client to read what is queued.)
   */
  cut(): void {
    const stream = this.#stream;
    if (this.#isCut || stream.destroyed) return;
    this.#isCut = true;
    this.reset(NGHTTP2_CANCEL);
    const timer = setTimeout(() => this.connection.destroy(), this.#parts.limits.stallTimeoutMs).unref();
    stream.once('close', () => clearTimeout(timer));
  }

  /** Ends the stream with a code. */
  reset(code: number): void {
    if (this.#stream.closed) return;
    this.#isReset = true;
    this.#parts.counts.resetsSent += 1;
    this.#stream.close(code);
  }

  /** The stream is closed. Of a session that is lost, node says that each of its streams was reset. */
  closed(): void {
    this.forgetHeldAnswer();
    this.#parts.counts.streams -= 1;
    const isReset = this.#stream.rstCode !== NGHTTP2_NO_ERROR;
    if (isReset && !this.#isReset && !this.#session?.destroyed) {
      this.#parts.counts.resetsReceived += 1;
      this.#parts.resets?.charge(this.headers, this.connection);
    }
    this.receiver?.closed();
  }

  /** Of HEAD, node has ended the writing side before the headers. */
  get #takesHeaders(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed && !this.#stream.headersSent;
  }

  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed || this.#stream.writableEnded;
  }

  /**
   * Once the response is sent, the client has `flushTimeoutMs` to finish its request. Not at once: clients such as Go's
   * drop a response whose reset comes before they have read it.
   */
  #stopRequestInTime(): void {
    this.#stream.once('finish', () => {
      const timer = setTimeout(stopRequest, this.#parts.limits.flushTimeoutMs, this.#stream).unref();
      this.#stream.once('close', () => clearTimeout(timer));
    });
  }
}

function onData(this: CarrierStream, chunk: Buffer): void {
  this[carrier].receiver?.received(chunk);
}

function onEnd(this: CarrierStream): void {
  // A reset ends the reading side as well: then the request may be half of one, and nobody waits for an answer.
  if (this.closed) return;
  const exchange = this[carrier];
  exchange.isRequestComplete = true;
  exchange.receiver?.receivedAll();
  if (exchange.heldAnswer !== undefined) exchange.sendHeldAnswer();
}

function onClose(this: CarrierStream): void {
  this[carrier].closed();
}

function onWantTrailers(this: CarrierStream): void {
  if (this.destroyed || this.closed) return;
  const { trailers, isRequestComplete } = this[carrier];
  // None at all are an empty frame of data.
  this.sendTrailers(trailers ?? {});
  // In a later turn: the reset would overtake the trailers.
  if (trailers !== undefined && !isRequestComplete) setImmediate(stopRequest, this);
}

/** Not at once, as in `#stopRequestInTime`. */
function stopRequestSoon(stream: CarrierStream): void {
  const timer = setTimeout(stopRequest, requestEndGraceMs, stream).unref();
  stream.once('close', () => clearTimeout(timer));
}

/** Tells a client that still sends to stop, once the response is out (RFC 9113 section 8.1). */
function stopRequest(stream: CarrierStream): void {
  if (!stream[carrier].isRequestComplete) stream[carrier].reset(NGHTTP2_NO_ERROR);
}

// 'close' follows every error and tells the receiver; without a listener the process would end.
function onError(): void {}
