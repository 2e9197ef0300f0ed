import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { Connection } from '../call/connection.ts';
import { type Exchange, isHost, type Receiver, requestEndGraceMs } from '../http/exchange.ts';
import { type ErrorCode, errorCode } from './frame.ts';
import type { Http2Connection } from './http2-connection.ts';
import { ReceiveWindow } from './receive-window.ts';
import type { RequestHeaders } from './request-headers.ts';

/** What has come in of a request that is not read now. */
const endOfRequest = Symbol('end');

/** One request and its response on a stream of an `Http2Connection`. */
export class Http2Stream implements Exchange {
  readonly id: number;
  readonly headers: IncomingHttpHeaders;
  readonly headerBytes: number;
  readonly lacksHeaders: boolean;
  readonly isDuplex = true;
  extraHeaders: readonly string[] = [];
  sentStatus: string | undefined;
  /** What the client still takes of the response. */
  sendWindow: number;
  readonly receiveWindow: ReceiveWindow;
  /** Whether the client has sent the last of the request. */
  isRemoteClosed = false;
  /** Whether nothing is sent any more: the end was sent, or a reset by either side. */
  isLocalClosed = false;
  /** What the request's body must have in all, by its content-length, and has had so far. */
  readonly #contentBytes: number | undefined;
  #receivedBytes = 0;
  readonly #owner: Http2Connection;
  readonly #openedAtMs = performance.now();
  #receiver: Receiver | undefined;
  #isPaused = false;
  #isDelivering = false;
  /** What came while nobody read. */
  readonly #held: (Buffer | typeof endOfRequest)[] = [];
  /** How many small parts are at the end of it. */
  #smallHeld = 0;
  /** What waits for a window or for room, and how much of the first part is sent. */
  readonly #queue: Uint8Array[] = [];
  #sentOfFirst = 0;
  #isEnding = false;
  #trailers: string[] | undefined;
  #heldAnswer: string[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isGone = false;

  constructor(owner: Http2Connection, id: number, { headers, bytes, isTooMuch }: RequestHeaders) {
    this.#owner = owner;
    this.id = id;
    this.headers = headers;
    // What is beyond the limit is not kept.
    this.headerBytes = Math.min(bytes, owner.limits.maxHeaderBytes);
    this.lacksHeaders = isTooMuch;
    this.sendWindow = owner.peerWindowBytes;
    this.receiveWindow = new ReceiveWindow(owner.streamWindowBytes);
    const length = headers['content-length'];
    this.#contentBytes = length === undefined ? undefined : Number(length);
  }

  get connection(): Connection {
    return this.#owner.connection;
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
    this.#receiver = receiver;
    this.#owner.counts.streams += 1;
    if (this.headers.expect === '100-continue')
      this.#owner.outbox.headers(this.id, [':status', '100'], false);
    this.#deliver();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  sendHeaders(headers: string[], _trailersFollow: boolean): void {
    if (this.isLocalClosed || this.sentStatus !== undefined) return;
    if (this.extraHeaders.length > 0) headers.push(...this.extraHeaders);
    const isLast = this.method === 'HEAD';
    this.#owner.outbox.headers(this.id, headers, isLast);
    this.sentStatus = headers[1]; // not if they can't be sent
    if (isLast) this.#ended();
  }

  send(bytes: Uint8Array): boolean {
    if (this.isLocalClosed || this.#isEnding || bytes.length === 0) return true;
    this.#queue.push(bytes);
    if (this.#queue.length === 1) this.sendQueued();
    if (this.#queue.length === 0) return true;
    this.#owner.waits(this);
    return false;
  }

  end(bytes: Uint8Array | undefined, trailers?: OutgoingHttpHeaders): void {
    if (this.isLocalClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#trailers = trailers && fieldsOf(trailers);
    if (bytes !== undefined && bytes.length > 0) this.#queue.push(bytes);
    this.sendQueued();
    if (!this.isLocalClosed) this.#owner.waits(this);
  }

  /**
   * The rest of a small request is usually just behind its headers, so that an early answer waits for it a moment: curl
   * 7.88 for one hangs when a response has ended before its request.
   */
  endWithHeaders(headers: string[]): void {
    if (this.isLocalClosed || this.sentStatus !== undefined) return;
    this.#heldAnswer = headers;
    const waitMs = this.#openedAtMs + requestEndGraceMs - performance.now();
    if (this.isRemoteClosed || waitMs <= 0) return this.#sendHeldAnswer();
    this.#timer = setTimeout(() => this.#sendHeldAnswer(), waitMs).unref();
  }

  cut(): void {
    if (this.#isGone) return;
    this.reset(errorCode.cancel);
    this.#owner.watchReading();
  }

  /** Ends the stream with a code. */
  reset(code: ErrorCode): void {
    if (this.#isGone) return;
    this.#owner.counts.resetsSent += 1;
    this.#owner.outbox.resetStream(this.id, code);
    this.#owner.forgetReset(this);
    this.#close();
  }

  /** The client has reset the stream, or the connection is gone. */
  lost(): void {
    this.#close();
  }

  /**
   * A part of the body has come, which the connection has counted.
   *
   * @returns whether the body is as long as its content-length says, as far as that can be known
   */
  received(bytes: Buffer, isLast: boolean): boolean {
    this.#receivedBytes += bytes.length;
    const expected = this.#contentBytes;
    if (
      expected !== undefined &&
      (this.#receivedBytes > expected || (isLast && this.#receivedBytes < expected))
    ) {
      return false;
    }
    if (bytes.length > 0) this.#hold(bytes, isLast);
    if (isLast) {
      this.isRemoteClosed = true;
      this.#held.push(endOfRequest);
    }
    if (isLast && this.isLocalClosed) this.#close();
    else this.#deliver();
    return true;
  }

  /** Keeps a part until it is read. What is small would take many times its size. */
  #hold(bytes: Buffer, isLast: boolean): void {
    const isSmall = bytes.length < smallBytes;
    // Its buffer holds all that came with it, which a request that goes on would keep.
    const waits = this.#isPaused || !isLast;
    this.#held.push(
      isSmall && waits && bytes.length * 4 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes,
    );
    this.#smallHeld = isSmall && this.#isPaused ? this.#smallHeld + 1 : 0;
    if (this.#smallHeld < maxSmallHeld) return;
    this.#smallHeld = 0;
    const parts = this.#held.splice(-maxSmallHeld).filter((it) => it !== endOfRequest);
    this.#held.push(Buffer.concat(parts));
  }

  /** Whether bytes, or the end, still wait. */
  get hasQueued(): boolean {
    return !this.isLocalClosed && (this.#queue.length > 0 || this.#isEnding);
  }

  /**
   * Sends what windows and room allow. Returns whether anything was sent.
   *
   * @param isFair at most one frame, as others wait too
   */
  sendQueued(isFair = false): boolean {
    const { outbox } = this.#owner;
    let isSent = false;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (isFair && isSent) return true;
      const left = first.length - this.#sentOfFirst;
      const bytes = Math.min(
        left,
        this.sendWindow,
        this.#owner.sendWindow,
        outbox.maxFrameBytes,
        outbox.room,
      );
      if (bytes <= 0) return isSent;
      const isLast = bytes === left && this.#queue.length === 1 && this.#isEnding && !this.#trailers;
      outbox.data(this.id, first, this.#sentOfFirst, this.#sentOfFirst + bytes, isLast);
      isSent = true;
      this.sendWindow -= bytes;
      this.#owner.sendWindow -= bytes;
      this.#sentOfFirst += bytes;
      if (bytes === left) {
        this.#queue.shift();
        this.#sentOfFirst = 0;
        this.#owner.sentParts += 1;
      }
      if (isLast) {
        this.#ended();
        return true;
      }
    }
    if (!this.#isEnding || this.isLocalClosed) return isSent;
    this.#sendEnd();
    return true;
  }

  /** There is room again, and all that waited is sent. */
  drained(): void {
    if (!this.#isEnding) this.#receiver?.drained();
  }

  /** Tells the call that its exchange is over. The connection calls it in a turn of its own. */
  tellClosed(): void {
    if (this.#receiver !== undefined) this.#owner.counts.streams -= 1;
    this.#receiver?.closed();
  }

  #sendEnd(): void {
    const { outbox } = this.#owner;
    if (this.#trailers === undefined) outbox.data(this.id, nothing, 0, 0, true);
    else outbox.headers(this.id, this.#trailers, true);
    this.#ended();
  }

  #sendHeldAnswer(): void {
    const headers = this.#heldAnswer;
    this.#heldAnswer = undefined;
    clearTimeout(this.#timer);
    if (headers === undefined || this.isLocalClosed) return;
    this.#owner.outbox.headers(this.id, headers, true);
    this.sentStatus = headers[1];
    this.#ended();
  }

  /**
   * Our side has ended. A client that still sends is told to stop (RFC 9113 section 8.1), but not at once: clients such
   * as Go's drop a response whose reset comes before they have read it.
   */
  #ended(): void {
    this.isLocalClosed = true;
    if (this.isRemoteClosed) return this.#close();
    const graceMs = this.#trailers === undefined ? this.#owner.limits.flushTimeoutMs : requestEndGraceMs;
    this.#timer = setTimeout(() => this.reset(errorCode.noError), graceMs).unref();
  }

  #close(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.isLocalClosed = true;
    clearTimeout(this.#timer);
    this.#heldAnswer = undefined;
    this.#queue.length = 0;
    this.#owner.closed(this, this.#release());
  }

  /** Forgets what nobody will read. Returns how many bytes that was: the connection's window must open again. */
  #release(): number {
    let bytes = 0;
    for (const it of this.#held) if (it !== endOfRequest) bytes += it.length;
    this.#held.length = 0;
    return bytes;
  }

  /** In order, whatever the receiver does meanwhile: it may pause and resume. */
  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    while (this.#receiver !== undefined && !this.#isPaused && !this.#isGone) {
      const next = this.#held.shift();
      if (next === undefined) break;
      if (next === endOfRequest) {
        this.#receiver.receivedAll();
        if (this.#heldAnswer !== undefined) this.#sendHeldAnswer();
      } else {
        this.#owner.taken(this, next.length);
        this.#receiver.received(next);
      }
    }
    this.#isDelivering = false;
  }
}

const nothing = new Uint8Array(0);
/** Smaller parts of a request are copied and put together while they wait. */
const smallBytes = 4 * 1024;
const maxSmallHeld = 256;

function fieldsOf(trailers: OutgoingHttpHeaders): string[] {
  const fields: string[] = [];
  for (const name in trailers) {
    const value = trailers[name];
    if (Array.isArray(value)) for (const one of value) fields.push(name, one);
    else if (value !== undefined) fields.push(name, String(value));
  }
  return fields;
}
