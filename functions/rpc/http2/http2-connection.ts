import type { Duplex } from 'node:stream';
import type { Connection } from '../call/connection.ts';
import type { RpcLimits } from '../limits.ts';
import type { ConnectionCounts } from '../telemetry/connection-counts.ts';
import { FloodGuard } from './flood-guard.ts';
import { ConnectionFault, type ErrorCode, errorCode, maxUint31 } from './frame.ts';
import { type FrameHandler, FrameParser } from './frame-parser.ts';
import { FrameReader } from './frame-reader.ts';
import { HpackDecoder, HpackError } from './hpack/decoder.ts';
import { Http2Stream } from './http2-stream.ts';
import { Outbox, type OutboxOwner } from './outbox.ts';
import { ReceiveWindow } from './receive-window.ts';
import { RequestHeaders } from './request-headers.ts';
import {
  defaultTableBytes,
  defaultWindowBytes,
  initialPeerSettings,
  readSettings,
  settingId,
} from './settings.ts';

/** What a connection is given. */
export interface Http2ConnectionOptions {
  readonly socket: Duplex;
  readonly connection: Connection;
  readonly limits: RpcLimits;
  readonly counts: ConnectionCounts;
  /** Takes a new request. */
  readonly onStream: (stream: Http2Stream) => void;
  /** The connection is closed. */
  readonly onClosed: () => void;
}

/** One HTTP/2 connection of a client, from its preface to its end (RFC 9113). */
export class Http2Connection implements FrameHandler, OutboxOwner {
  readonly limits: RpcLimits;
  readonly counts: ConnectionCounts;
  readonly connection: Connection;
  readonly outbox: Outbox;
  /** What the client still takes, of all responses together. */
  sendWindow = defaultWindowBytes;
  /** Parts of responses that were sent whole. */
  sentParts = 0;
  /** Window updates that have opened little or nothing. */
  #idleUpdates = 0;
  /** Whether it has had a request since somebody last looked. */
  isUsed = true;
  readonly #options: Http2ConnectionOptions;
  readonly #socket: Duplex;
  readonly #parser: FrameParser;
  readonly #reader: FrameReader;
  readonly #decoder = new HpackDecoder(defaultTableBytes);
  readonly #guard: FloodGuard;
  readonly #receiveWindow: ReceiveWindow;
  readonly #peer = initialPeerSettings();
  readonly #streams = new Map<number, Http2Stream>();
  /** Streams with bytes that wait, in the order of their turns. */
  readonly #blocked = new Set<Http2Stream>();
  /** Streams that are over, whose calls hear of it at the end of the turn. */
  #over: Http2Stream[] = [];
  /** Streams that we have reset lately: what was on its way for them means nothing. */
  readonly #reset = new Set<number>();
  #lastStreamId = 0;
  /** Whether the client has acknowledged our settings. */
  #areSettingsKnown = false;
  #handshakeTimer: NodeJS.Timeout | undefined;
  #isDismissed = false;
  #isEnding = false;
  #endTimer: NodeJS.Timeout | undefined;
  #readingTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: Http2ConnectionOptions) {
    const { socket, connection, limits, counts } = options;
    this.#options = options;
    this.#socket = socket;
    this.limits = limits;
    this.counts = counts;
    this.connection = connection;
    this.outbox = new Outbox(socket, this);
    this.#guard = new FloodGuard(limits);
    this.#parser = new FrameParser(this, this.#guard, limits);
    this.#reader = new FrameReader(this.#parser);
    this.#receiveWindow = new ReceiveWindow(Math.max(limits.connectionWindowBytes, defaultWindowBytes));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    // A client that has said its last word hears no more (RFC 9113 knows no half of a connection).
    socket.on('end', () => this.#destroy());
    socket.on('close', () => this.#close());
    // It must send SETTINGS and accept ours (section 6.5.3): until then, our limits do not hold for it.
    this.#handshakeTimer = setTimeout(() => {
      counts.refused.handshake_timeout += 1;
      this.#fail(new ConnectionFault(errorCode.settingsTimeout, 'no SETTINGS in time'));
    }, limits.handshakeTimeoutMs).unref();
    this.outbox.settings([
      settingId.maxConcurrentStreams,
      limits.maxConcurrentStreams,
      settingId.initialWindowSize,
      limits.streamWindowBytes,
      settingId.maxHeaderListSize,
      limits.maxHeaderBytes,
    ]);
    const more = limits.connectionWindowBytes - defaultWindowBytes;
    if (more > 0) this.outbox.windowUpdate(0, more);
    socket.resume();
  }

  /** What the client takes of each new response. */
  get peerWindowBytes(): number {
    return this.#peer.initialWindowBytes;
  }

  /** What a client may send of each new request: the RFC's window until it knows ours (section 6.9.2). */
  get streamWindowBytes(): number {
    const { streamWindowBytes } = this.limits;
    return this.#areSettingsKnown ? streamWindowBytes : Math.max(streamWindowBytes, defaultWindowBytes);
  }

  /** How many streams are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** A stream has bytes that wait. */
  waits(stream: Http2Stream): void {
    this.#blocked.add(stream);
  }

  /**
   * A stream was told that its request is at an end, or is reset: what still comes for it is no fault of the client.
   */
  forgetReset(stream: Http2Stream): void {
    if (!stream.isRemoteClosed) this.#rememberReset(stream.id);
  }

  /** Bytes of a stream were read: the client may send as many more. */
  taken(stream: Http2Stream, bytes: number): void {
    this.#openWindow(bytes);
    if (stream.isRemoteClosed) return;
    const opened = stream.receiveWindow.take(bytes);
    if (opened > 0) this.outbox.windowUpdate(stream.id, opened);
  }

  /** A stream is over. `unread`: bytes of it that nobody will read. */
  closed(stream: Http2Stream, unread: number): void {
    this.#streams.delete(stream.id);
    this.#blocked.delete(stream);
    this.#openWindow(unread);
    if (this.#over.push(stream) === 1) setImmediate(() => this.#tellOver());
  }

  /**
   * Sends the client two GOAWAYs (section 6.8). The first asks it to send no more calls. A round trip later, the second
   * says which of its calls were taken; it can send the others elsewhere. The connection ends with its last call.
   */
  dismiss(): void {
    if (this.#isDismissed || this.#isClosed) return;
    this.#isDismissed = true;
    this.counts.goaways += 1;
    this.outbox.goaway(maxUint31, errorCode.noError);
    this.outbox.ping(roundTrip, false);
    this.#endTimer = setTimeout(() => this.end(), this.limits.goawayTimeoutMs).unref();
  }

  /** Sends GOAWAY. Calls that are open may finish; then the connection is closed. */
  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    if (!this.#isDismissed) this.counts.goaways += 1;
    this.#isDismissed = true;
    this.#isEnding = true;
    clearTimeout(this.#endTimer);
    this.outbox.goaway(this.#lastStreamId, errorCode.noError);
    this.#endIfDone();
  }

  /** Cuts the connection unless the client reads what is queued for it in `stallTimeoutMs`. */
  watchReading(): void {
    this.#readingTimer ??= setTimeout(() => this.#destroy(), this.limits.stallTimeoutMs).unref();
  }

  flushed(): void {
    clearTimeout(this.#readingTimer);
    this.#readingTimer = undefined;
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#sendBlocked();
    this.#endIfDone();
  }

  /** Section 6.1. */
  data(
    streamId: number,
    bytes: Buffer,
    from: number,
    to: number,
    paddingBytes: number,
    isLast: boolean,
  ): void {
    const received = to - from + paddingBytes;
    this.#receiveWindow.receive(received);
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.isRemoteClosed) {
      this.#openWindow(received);
      return this.#lateFrame(streamId, stream);
    }
    stream.receiveWindow.receive(received);
    // Padding is never read: its part of the windows opens at once.
    if (paddingBytes > 0) this.taken(stream, paddingBytes);
    if (stream.received(bytes.subarray(from, to), isLast)) return;
    this.#openWindow(to - from);
    this.#refuse(stream, errorCode.protocolError);
  }

  /** Of a new request, or the trailers of one (section 8.1). */
  block(streamId: number, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    const { maxHeaderBytes, maxHeaderPairs } = this.limits;
    const stream = this.#streams.get(streamId);
    const isNew = streamId > this.#lastStreamId;
    const fields = new RequestHeaders(!isNew, maxHeaderBytes, maxHeaderPairs);
    // Also what is refused changes the table.
    this.#decoder.decode(bytes, from, to, fields);
    if (isNew) return this.#open(streamId, fields, isLast);
    if (stream === undefined || stream.isRemoteClosed) return this.#lateFrame(streamId, stream, true);
    // Trailers end a request. What they say is nobody's business.
    const isFine = isLast && fields.finish() === undefined && stream.received(nothing, true);
    if (!isFine) this.#refuse(stream, errorCode.protocolError);
  }

  /** Section 6.4. */
  resetStream(streamId: number): void {
    if (this.#isIgnored(streamId)) return this.#guard.glitch();
    if (streamId === 0 || streamId > this.#lastStreamId) {
      throw new ConnectionFault(errorCode.protocolError, 'RST_STREAM is of a stream that never was');
    }
    this.#guard.reset();
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.counts.resetsReceived += 1;
    stream.lost();
  }

  /** Section 6.5. */
  settings(bytes: Buffer, from: number, to: number): void {
    const { initialWindowBytes: before, headerTableBytes: tableBefore } = this.#peer;
    readSettings(bytes, from, to, this.#peer);
    this.outbox.maxFrameBytes = this.#peer.maxFrameBytes;
    if (this.#peer.headerTableBytes < tableBefore) this.outbox.tellTableSize();
    this.outbox.settingsAck();
    this.#checkQueuedControl();
    const more = this.#peer.initialWindowBytes - before;
    if (more === 0) return;
    // Section 6.9.2: it holds for streams that are open too, and a window may become negative.
    for (const stream of this.#streams.values()) {
      stream.sendWindow += more;
      if (stream.sendWindow > maxUint31) {
        throw new ConnectionFault(errorCode.flowControlError, 'a window is too large');
      }
    }
    if (more > 0) this.#sendBlocked();
  }

  settingsAcknowledged(): void {
    clearTimeout(this.#handshakeTimer);
    this.#areSettingsKnown = true;
  }

  ping(payload: Buffer): void {
    this.outbox.ping(payload, true);
    this.#checkQueuedControl();
  }

  pong(payload: Buffer): void {
    if (this.#isDismissed && payload.equals(roundTrip)) this.end();
  }

  /** Section 6.9. */
  windowUpdate(streamId: number, bytes: number): void {
    if (bytes < smallUpdateBytes) this.#idleUpdate();
    if (streamId === 0) {
      if (bytes === 0) throw new ConnectionFault(errorCode.protocolError, 'a window opens by nothing');
      this.sendWindow += bytes;
      if (this.sendWindow > maxUint31) {
        throw new ConnectionFault(errorCode.flowControlError, 'a window is too large');
      }
      return this.#sendBlocked();
    }
    if (this.#isIgnored(streamId)) return this.#guard.glitch();
    if (streamId > this.#lastStreamId) {
      throw new ConnectionFault(errorCode.protocolError, 'WINDOW_UPDATE is of a stream that never was');
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return this.#idleUpdate(); // it was on its way when the stream ended
    if (bytes === 0) return this.#refuse(stream, errorCode.protocolError);
    stream.sendWindow += bytes;
    if (stream.sendWindow > maxUint31) return this.#refuse(stream, errorCode.flowControlError);
    if (this.#blocked.has(stream)) this.#sendOne(stream);
  }

  /**
   * Some clients tell of each message that they read, however small or late; who lets a message through byte by byte
   * attacks.
   */
  #idleUpdate(): void {
    if (++this.#idleUpdates > 2 * this.sentParts) this.#guard.glitch();
  }

  late(fault: ConnectionFault): void {
    this.#fail(fault);
  }

  #read(chunk: Buffer): void {
    if (this.#isClosed || this.#socket.destroyed) return;
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (error instanceof ConnectionFault) return this.#fail(error);
      if (error instanceof HpackError) {
        return this.#fail(new ConnectionFault(errorCode.compressionError, error.message));
      }
      throw error;
    }
    // Answers of a client that asks without reading must not pile up: it is read on once it has read them.
    if (this.outbox.waitingBytes <= maxWaitingBytes / 2) return;
    this.#socket.pause();
    this.watchReading();
  }

  #open(streamId: number, fields: RequestHeaders, isLast: boolean): void {
    const { limits } = this;
    if (this.#isEnding) return this.#guard.glitch(); // section 6.8: the client knows that nobody has taken it
    this.#lastStreamId = streamId;
    if (this.#streams.size >= limits.maxConcurrentStreams) {
      // Section 5.1.2. It may have come before the client knew the limit, or beside a reset that makes room.
      this.#guard.reset();
      return this.#resetUnopened(streamId, errorCode.refusedStream);
    }
    if (fields.finish() !== undefined) {
      this.#guard.reset();
      return this.#resetUnopened(streamId, errorCode.protocolError);
    }
    const stream = new Http2Stream(this, streamId, fields);
    this.#streams.set(streamId, stream);
    this.isUsed = true;
    this.#options.onStream(stream);
    if (isLast && !stream.received(nothing, true)) this.#refuse(stream, errorCode.protocolError);
  }

  /** A frame of a stream that is over, or never was (section 5.1). */
  #lateFrame(streamId: number, stream: Http2Stream | undefined, isHeaders = false): void {
    if (this.#isIgnored(streamId)) return;
    if (streamId % 2 === 0 || streamId > this.#lastStreamId) {
      throw new ConnectionFault(errorCode.protocolError, 'a frame is of a stream that never was');
    }
    if (stream !== undefined) return this.#refuse(stream, errorCode.streamClosed);
    // It was on its way when we reset the stream. Its block was decoded all the same.
    if (this.#reset.has(streamId)) return isHeaders ? this.#guard.glitch() : undefined;
    if (isHeaders)
      throw new ConnectionFault(errorCode.streamClosed, 'a request begins on a stream that is over');
    this.#guard.reset();
    this.#resetUnopened(streamId, errorCode.streamClosed);
  }

  /** Whether a stream crossed our last GOAWAY: its client knows from that that nobody has taken it (section 6.8). */
  #isIgnored(streamId: number): boolean {
    return this.#isEnding && streamId > this.#lastStreamId && streamId % 2 === 1;
  }

  /** Ends a stream for a fault of the client. */
  #refuse(stream: Http2Stream, code: ErrorCode): void {
    this.#guard.reset();
    stream.reset(code);
  }

  #resetUnopened(streamId: number, code: ErrorCode): void {
    this.counts.resetsSent += 1;
    this.outbox.resetStream(streamId, code);
    this.#rememberReset(streamId);
    this.#checkQueuedControl();
  }

  /** As many as a client that keeps to our limit may have on the way. */
  #rememberReset(streamId: number): void {
    this.#reset.add(streamId);
    if (this.#reset.size <= maxRemembered) return;
    for (const oldest of this.#reset) return void this.#reset.delete(oldest);
  }

  /** Answers of a client that asks without reading must not pile up (CVE-2019-9512, 9515). */
  #checkQueuedControl(): void {
    if (this.outbox.waitingBytes > maxWaitingBytes) {
      throw new ConnectionFault(errorCode.enhanceYourCalm, 'the client asks, and does not read the answers');
    }
  }

  #openWindow(bytes: number): void {
    if (bytes === 0 || this.#isClosed) return;
    const opened = this.#receiveWindow.take(bytes);
    if (opened > 0) this.outbox.windowUpdate(0, opened);
  }

  /** Streams take turns, a frame each, so that none holds up the others. */
  #sendBlocked(): void {
    for (let isMoving = true; isMoving; ) {
      isMoving = false;
      for (const stream of [...this.#blocked]) {
        if (this.sendWindow <= 0 || this.outbox.room === 0) return;
        if (this.#sendOne(stream)) isMoving = true;
      }
    }
  }

  /** Sends a frame of a stream, which then stands at the end of the line. Returns whether there was one to send. */
  #sendOne(stream: Http2Stream): boolean {
    if (!stream.sendQueued(true)) return false;
    this.#blocked.delete(stream);
    if (stream.hasQueued) this.#blocked.add(stream);
    else stream.drained();
    return true;
  }

  #tellOver(): void {
    const over = this.#over;
    this.#over = [];
    for (const stream of over) stream.tellClosed();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#isEnding && this.#streams.size === 0 && this.outbox.isEmpty) this.#finish();
  }

  /** Section 5.4.1. */
  #fail(fault: ConnectionFault): void {
    if (this.#isClosed || this.#socket.destroyed) return;
    this.counts.goaways += 1;
    this.outbox.goaway(this.#lastStreamId, fault.code, fault.message);
    this.#finish();
  }

  /**
   * The last word is said. What the client sends meanwhile is read and dropped: else the system would answer it with a
   * reset, which takes the GOAWAY away from a client that has not read it yet. One that does not close its side is cut.
   */
  #finish(): void {
    if (this.#isClosed) return;
    this.outbox.flush(true);
    this.#close();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), this.limits.goawayTimeoutMs).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #destroy(): void {
    this.#socket.destroy();
    this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#handshakeTimer);
    this.#parser.close();
    clearTimeout(this.#endTimer);
    clearTimeout(this.#readingTimer);
    for (const stream of this.#streams.values()) stream.lost();
    this.#options.onClosed();
  }
}

const nothing = Buffer.alloc(0);
/** What the PING between two GOAWAYs says. */
const roundTrip = Buffer.from('goaway!\n', 'latin1');
/** Resets whose streams may still get frames: a client cancels so many at once at the most. */
const maxRemembered = 1_000;
/** Smaller ones hardly pay for themselves. */
const smallUpdateBytes = 64;
/** Answers to PING and SETTINGS, and resets: some 10,000. */
const maxWaitingBytes = 256 * 1024;
