import http2, {
  type Http2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { CallReceiver, CallStream } from '../../http/exchange.ts';
import { peerOf } from './sessions.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = http2.constants;

// gRPC knows no Date header, and making it costs time. (`sendDate` is missing in the types of Node 24.)
const withTrailers = { waitForTrailers: true, sendDate: false };
const trailersOnly = { endStream: true, sendDate: false };

/** Where a stream keeps what carries its call, so that all streams share their listeners. */
const carrier = Symbol('carrier');
type CarrierStream = ServerHttp2Stream & { [carrier]: Http2CallStream };

/** Carries a call on the core stream API of node:http2: its compatibility API costs more than the call. */
export class Http2CallStream implements CallStream {
  readonly headers: IncomingHttpHeaders;
  readonly #stream: CarrierStream;
  /** Kept for the log: a stream that is closed has lost its own. */
  readonly #session: Http2Session | undefined;
  // For the listeners, which all streams share.
  receiver: CallReceiver | undefined;
  trailers: OutgoingHttpHeaders | undefined;
  isRequestComplete = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.headers = headers;
    this.#session = stream.session;
    this.#stream = Object.assign(stream, { [carrier]: this });
  }

  get peer(): string {
    return peerOf(this.#session);
  }

  receive(receiver: CallReceiver): void {
    this.receiver = receiver;
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

  sendHeaders(headers: string[]): void {
    if (this.#isGone) return;
    this.#stream.respond(headers, withTrailers);
    this.#stream.on('wantTrailers', onWantTrailers);
  }

  send(frames: Buffer): boolean {
    if (this.#isGone || this.#stream.write(frames)) return true;
    this.#stream.once('drain', () => this.receiver?.drained());
    return false;
  }

  end(frames: Buffer | undefined, trailers: OutgoingHttpHeaders): void {
    if (this.#isGone) return;
    this.trailers = trailers;
    this.#stream.end(frames);
  }

  endWithHeaders(headersAndTrailers: string[]): void {
    if (this.#isGone) return;
    this.#stream.respond(headersAndTrailers, trailersOnly);
    stopRequest(this.#stream);
  }

  reset(): void {
    this.#stream.close(NGHTTP2_CANCEL);
  }

  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

function onData(this: CarrierStream, chunk: Buffer): void {
  this[carrier].receiver?.received(chunk);
}

function onEnd(this: CarrierStream): void {
  const call = this[carrier];
  call.isRequestComplete = true;
  call.receiver?.receivedAll();
}

function onClose(this: CarrierStream): void {
  this[carrier].receiver?.closed();
}

function onWantTrailers(this: CarrierStream): void {
  if (this.destroyed || this.closed) return;
  this.sendTrailers(this[carrier].trailers ?? {});
  // In a later turn: the reset would overtake the trailers.
  if (!this[carrier].isRequestComplete) setImmediate(stopRequest, this);
}

/** Tells a client that still sends to stop, once the response is out. */
function stopRequest(stream: CarrierStream): void {
  // RFC 9113 section 8.1.
  if (!stream[carrier].isRequestComplete) stream.close(NGHTTP2_NO_ERROR);
}

// 'close' follows every error and tells the receiver; without a listener the process would end.
function onError(): void {}
