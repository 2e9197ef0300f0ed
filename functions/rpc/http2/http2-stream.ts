import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { Connection } from '../call/connection.ts';
import { type Exchange, isHost, type Receiver, requestEndGraceMs } from '../http/exchange.ts';
import { type ErrorCode, errorCode } from './frame.ts';
import { fieldsOf } from './hpack/encoder.ts';
import type { Http2Connection } from './http2-connection.ts';
import type { ReceiveWindow } from './receive-window.ts';
import type { RequestHeaders } from './request-headers.ts';
import { type InboxOwner, RequestInbox } from './request-inbox.ts';

/** One request and its response on a stream of an `Http2Connection`. */
export class Http2Stream implements Exchange, InboxOwner {
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
  readonly inbox: RequestInbox;
  /** Whether the client has sent the last of the request. */
  isRemoteClosed = false;
  /** Whether nothing is sent any more: the end was sent, or a reset by either side. */
  isLocalClosed = false;
  isGone = false;
  readonly #owner: Http2Connection;
  readonly #openedAtMs = performance.now();
  /** What waits for a window or for room, and how much of the first part is sent. */
  #first: Uint8Array | undefined;
  #rest: Uint8Array[] | undefined;
  #sentOfFirst = 0;
  #isEnding = false;
  #trailers: string[] | undefined;
  #heldAnswer: string[] | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(owner: Http2Connection, id: number, { headers, bytes, isTooMuch }: RequestHeaders) {
    this.#owner = owner;
    this.id = id;
    this.headers = headers;
    this.headerBytes = Math.min(bytes, owner.limits.maxHeaderBytes); // what is beyond is not kept
    this.lacksHeaders = isTooMuch;
    this.sendWindow = owner.peerWindowBytes;
    this.receiveWindow = owner.windows.ofStream();
    this.inbox = new RequestInbox(this, headers['content-length']);
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

  get windowBytes(): number {
    return this.receiveWindow.bytes;
  }

  receive(receiver: Receiver): void {
    const { outbox, counts } = this.#owner;
    counts.streams += 1;
    if (this.headers.expect === '100-continue') outbox.headers(this.id, [':status', '100'], false);
    this.inbox.receive(receiver);
  }

  pause(): void {
    this.inbox.pause();
  }

  resume(): void {
    this.inbox.resume();
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
    if (this.#enqueue(bytes)) this.sendQueued();
    if (this.#first === undefined) return true;
    this.#owner.turns.waits(this);
    return false;
  }

  end(bytes: Uint8Array | undefined, trailers?: OutgoingHttpHeaders): void {
    if (this.isLocalClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#trailers = trailers && fieldsOf(trailers);
    if (bytes !== undefined && bytes.length > 0) this.#enqueue(bytes);
    this.sendQueued();
    if (!this.isLocalClosed) this.#owner.turns.waits(this);
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

  /** A client that still sends has the whole response, and may be left alone (RFC 9113 section 8.1). */
  endAtOnce(headers: string[]): void {
    if (this.isLocalClosed || this.sentStatus !== undefined) return this.cut();
    this.#owner.outbox.headers(this.id, headers, true);
    this.sentStatus = headers[1];
    if (!this.isRemoteClosed) this.#owner.resets.remember(this.id);
    this.close();
    this.#owner.end.watchReading();
  }

  cut(): void {
    if (this.isGone) return;
    this.reset(errorCode.cancel);
    this.#owner.end.watchReading();
  }

  /** Ends the stream with a code. */
  reset(code: ErrorCode): void {
    if (this.isGone) return;
    this.#owner.counts.resetsSent += 1;
    this.#owner.outbox.resetStream(this.id, code);
    if (!this.isRemoteClosed) this.#owner.resets.remember(this.id);
    this.close();
  }

  /**
   * A part of the body has come, which the connection has counted.
   *
   * @returns whether the body is as long as its content-length says, as far as that can be known
   */
  received(bytes: Buffer, isLast: boolean): boolean {
    if (!this.inbox.fits(bytes, isLast)) return false;
    if (isLast) this.isRemoteClosed = true;
    if (!isLast || !this.isLocalClosed) this.inbox.put(bytes, isLast);
    else this.close(bytes.length);
    return true;
  }

  taken(bytes: number): void {
    this.#owner.windows.taken(this, bytes);
  }

  takenAll(): void {
    if (this.#heldAnswer !== undefined) this.#sendHeldAnswer();
  }

  /** Whether bytes, or the end, still wait. */
  get hasQueued(): boolean {
    return !this.isLocalClosed && (this.#first !== undefined || this.#isEnding);
  }

  /** Sends what windows and room allow; if others wait too (`isFair`), a frame at most. Returns whether it was any. */
  sendQueued(isFair = false): boolean {
    const { outbox, turns } = this.#owner;
    let isSent = false;
    for (let first = this.#first; first !== undefined; first = this.#first) {
      if (isFair && isSent) return true;
      const left = first.length - this.#sentOfFirst;
      const bytes = Math.min(left, this.sendWindow, turns.windowBytes, outbox.maxFrameBytes, outbox.room);
      if (bytes <= 0) return isSent;
      const isLast = bytes === left && !this.#rest?.length && this.#isEnding && !this.#trailers;
      outbox.data(this.id, first, this.#sentOfFirst, this.#sentOfFirst + bytes, isLast);
      isSent = true;
      this.sendWindow -= bytes;
      turns.windowBytes -= bytes;
      turns.sentFrames += 1;
      this.#sentOfFirst += bytes;
      if (bytes === left) {
        this.#first = this.#rest?.shift();
        this.#sentOfFirst = 0;
        turns.sentParts += 1;
      }
      if (!isLast) continue;
      this.#ended();
      return true;
    }
    if (!this.#isEnding || this.isLocalClosed) return isSent;
    if (this.#trailers === undefined) outbox.data(this.id, nothing, 0, 0, true);
    else outbox.headers(this.id, this.#trailers, true);
    this.#ended();
    return true;
  }

  /** The stream is over. `unreadBytes`: what has come with its end, and nobody reads. */
  close(unreadBytes = 0): void {
    if (this.isGone) return;
    this.isGone = true;
    this.isLocalClosed = true;
    clearTimeout(this.#timer);
    this.#heldAnswer = undefined;
    this.#first = undefined;
    this.#rest = undefined;
    this.#owner.streamClosed(this, unreadBytes + this.inbox.release());
  }

  /** There is room again, and all that waited is sent. */
  drained(): void {
    if (!this.#isEnding) this.inbox.receiver?.drained();
  }

  /** Tells the call that its exchange is over. The connection calls it in a turn of its own. */
  tellClosed(): void {
    if (this.inbox.receiver !== undefined) this.#owner.counts.streams -= 1;
    this.inbox.receiver?.closed();
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
    if (this.isRemoteClosed) return this.close();
    const graceMs = this.#trailers === undefined ? this.#owner.limits.flushTimeoutMs : requestEndGraceMs;
    this.#timer = setTimeout(() => this.reset(errorCode.noError), graceMs).unref();
  }

  /** Puts bytes at the end of the queue. Returns whether nothing is before them. */
  #enqueue(bytes: Uint8Array): boolean {
    if (this.#first === undefined) this.#first = bytes;
    else if (this.#rest === undefined) this.#rest = [bytes];
    else this.#rest.push(bytes);
    return this.#first === bytes;
  }
}

const nothing = new Uint8Array(0);
