import type { Duplex } from 'node:stream';
import type { Connection } from '../call/connection.ts';
import type { MemoryBudget } from '../call/memory-budget.ts';
import type { RpcLimits } from '../limits.ts';
import type { ConnectionCounts } from '../telemetry/connection-counts.ts';
import { ConnectionEnd, type EndingConnection } from './connection-end.ts';
import type { EngineParts } from './engine.ts';
import { FloodGuard } from './flood-guard.ts';
import { ConnectionFault, errorCode, maxUint31 } from './frame.ts';
import { type FrameHandler, FrameParser } from './frame-parser.ts';
import { FrameReader } from './frame-reader.ts';
import { HeaderList } from './header-list.ts';
import { HpackDecoder, HpackError } from './hpack/decoder.ts';
import { Http2Stream } from './http2-stream.ts';
import { OpenStreams } from './open-streams.ts';
import { Outbox, type OutboxOwner } from './outbox.ts';
import { RequestHeaders } from './request-headers.ts';
import { RequestWindows, type WindowedConnection } from './request-windows.ts';
import { SendTurns } from './send-turns.ts';
import { defaultTableBytes, initialPeerSettings, ourSettings, readSettings } from './settings.ts';
import { type ResettingConnection, StreamResets } from './stream-resets.ts';

/** What a connection is given. */
export interface Http2ConnectionOptions extends EngineParts {
  readonly socket: Duplex;
  readonly connection: Connection;
  /** Takes a new request. */
  readonly onStream: (stream: Http2Stream) => void;
  /** The connection is closed. */
  readonly onClosed: () => void;
}

/** One HTTP/2 connection of a client, from its preface to its end (RFC 9113). */
export class Http2Connection
  implements FrameHandler, OutboxOwner, EndingConnection, ResettingConnection, WindowedConnection
{
  readonly limits: RpcLimits;
  readonly memory: MemoryBudget;
  readonly counts: ConnectionCounts;
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly turns: SendTurns;
  readonly end: ConnectionEnd;
  readonly windows: RequestWindows;
  readonly resets: StreamResets;
  readonly streams = new OpenStreams(() => this.#told());
  lastStreamId = 0;
  /** Whether it has had a request since somebody last looked. */
  isUsed = true;
  readonly #options: Http2ConnectionOptions;
  readonly #socket: Duplex;
  readonly #parser: FrameParser;
  readonly #reader: FrameReader;
  readonly #decoder = new HpackDecoder(defaultTableBytes);
  readonly #guard: FloodGuard;
  readonly #peer = initialPeerSettings();

  constructor(options: Http2ConnectionOptions) {
    const { socket, connection, limits, memory, counts, resets } = options;
    this.#options = options;
    this.#socket = socket;
    this.limits = limits;
    this.memory = memory;
    this.counts = counts;
    this.connection = connection;
    this.#guard = new FloodGuard(limits, resets && ((headers) => resets.charge(headers, connection)));
    this.outbox = new Outbox(socket, this);
    this.turns = new SendTurns(this.outbox, this.#guard);
    this.windows = new RequestWindows(this);
    this.resets = new StreamResets(this, this.#guard);
    this.#parser = new FrameParser(this, this.#guard, limits);
    this.#reader = new FrameReader(this.#parser);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    // A client that has said its last word hears no more (RFC 9113 knows no half of a connection).
    socket.on('end', () => this.end.destroy());
    socket.on('close', () => this.end.close());
    this.end = new ConnectionEnd(this, socket);
    this.outbox.settings(ourSettings(limits));
    this.windows.begin();
    socket.resume();
  }

  /** What the client takes of each new response. */
  get peerWindowBytes(): number {
    return this.#peer.initialWindowBytes;
  }

  /** A stream is over. `unread`: bytes of it that nobody will read. */
  streamClosed(stream: Http2Stream, unread: number): void {
    this.streams.remove(stream);
    this.turns.forget(stream);
    this.windows.dropped(unread);
  }

  flushed(): void {
    this.end.hasRead();
    this.#readOn();
    this.turns.sendAll();
    this.end.endIfDone();
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
    this.windows.received(received);
    const stream = this.streams.get(streamId);
    if (stream === undefined || stream.isRemoteClosed) {
      this.windows.dropped(received);
      return this.resets.late(streamId, stream, false, isLast);
    }
    stream.receiveWindow.receive(received);
    // Padding is never read: its part of the windows opens at once.
    if (paddingBytes > 0) this.windows.taken(stream, paddingBytes);
    if (stream.received(bytes.subarray(from, to), isLast)) return;
    this.windows.dropped(to - from);
    this.resets.refuse(stream, errorCode.protocolError);
  }

  /** Of a new request, or the trailers of one (section 8.1). */
  block(streamId: number, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    const { maxHeaderBytes, maxHeaderPairs } = this.limits;
    const isNew = streamId > this.lastStreamId;
    if (isNew && this.#options.shedder?.isDue) return this.#openOrShed(streamId, bytes, from, to, isLast);
    const stream = this.streams.get(streamId);
    const fields = new RequestHeaders(!isNew, maxHeaderBytes, maxHeaderPairs);
    // Also what is refused changes the table.
    this.#decoder.decode(bytes, from, to, fields);
    if (isNew) return this.#open(streamId, fields, isLast);
    if (stream === undefined || stream.isRemoteClosed) return this.resets.late(streamId, stream, true);
    // Trailers end a request. What they say is nobody's business.
    const isFine = isLast && fields.finish() === undefined && stream.received(nothing, true);
    if (!isFine) this.resets.refuse(stream, errorCode.protocolError);
  }

  /** Section 6.4. */
  resetStream(streamId: number): void {
    if (this.end.isCrossing(streamId)) return this.#guard.glitch();
    if (streamId === 0 || streamId > this.lastStreamId) {
      throw new ConnectionFault(errorCode.protocolError, 'RST_STREAM is of a stream that never was');
    }
    if (this.resets.crosses(streamId)) return;
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.resets.answered();
    if (stream.isLocalClosed) this.resets.answered();
    else this.#guard.reset(stream.headers);
    this.counts.resetsReceived += 1;
    stream.close();
  }

  /** Section 6.5. */
  settings(bytes: Buffer, from: number, to: number): void {
    const { initialWindowBytes: before } = this.#peer;
    if (readSettings(bytes, from, to, this.#peer)) this.outbox.tableShrinks();
    this.outbox.maxFrameBytes = this.#peer.maxFrameBytes;
    this.outbox.settingsAck();
    this.outbox.checkAnswers();
    const more = this.#peer.initialWindowBytes - before;
    if (more === 0) return;
    this.streams.openSendWindows(more);
    if (more > 0) this.turns.sendAll();
  }

  settingsAcknowledged(): void {
    this.end.settingsAcknowledged();
    this.windows.settingsAcknowledged();
  }

  ping(payload: Buffer): void {
    this.#guard.ping(this.#parser.otherFrames + this.turns.sentFrames);
    this.outbox.ping(payload, true);
    this.outbox.checkAnswers();
  }

  pong(payload: Buffer): void {
    if (!this.windows.pong(payload) && !this.end.pong(payload)) this.#guard.glitch();
  }

  /** Section 6.9. */
  windowUpdate(streamId: number, bytes: number): void {
    if (bytes < smallUpdateBytes) this.turns.idleUpdate();
    if (streamId === 0) {
      if (bytes === 0) throw new ConnectionFault(errorCode.protocolError, 'a window opens by nothing');
      return this.turns.open(bytes);
    }
    if (this.end.isCrossing(streamId)) return this.#guard.glitch();
    if (streamId > this.lastStreamId) {
      throw new ConnectionFault(errorCode.protocolError, 'WINDOW_UPDATE is of a stream that never was');
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.turns.idleUpdate(); // it was on its way when the stream ended
    if (bytes === 0) return this.resets.refuse(stream, errorCode.protocolError);
    stream.sendWindow += bytes;
    if (stream.sendWindow > maxUint31) return this.resets.refuse(stream, errorCode.flowControlError);
    this.turns.opened(stream);
  }

  late(fault: ConnectionFault): void {
    this.end.fail(fault);
  }

  /** It is at its end. */
  closed(): void {
    this.#parser.close();
    this.windows.close();
    this.streams.loseAll();
    this.#options.onClosed();
  }

  #read(chunk: Buffer): void {
    if (this.end.isClosed || this.#socket.destroyed) return;
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (error instanceof ConnectionFault) return this.end.fail(error);
      if (error instanceof HpackError) {
        return this.end.fail(new ConnectionFault(errorCode.compressionError, error.message));
      }
      throw error;
    }
    // A system hands over many reads in a turn, and streams that were reset would pile up until its end.
    if (this.streams.isCrowded) this.#socket.pause();
    // Answers of a client that asks without reading must not pile up: it is read on once it has read them.
    if (!this.outbox.isCrowded) return;
    this.#socket.pause();
    this.end.watchReading();
  }

  #told(): void {
    this.#readOn();
    this.end.endIfDone();
  }

  #readOn(): void {
    if (this.#socket.isPaused() && !this.outbox.isCrowded && !this.streams.isCrowded) this.#socket.resume();
  }

  /** As `block`, while more comes than can be done. */
  #openOrShed(streamId: number, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    list.clear(); // unless a block was broken, it is
    this.#decoder.decode(bytes, from, to, list);
    const refused = this.end.isEnding ? undefined : this.#options.shedder?.refuse(list);
    if (refused === undefined) {
      const fields = new RequestHeaders(false, this.limits.maxHeaderBytes, this.limits.maxHeaderPairs);
      list.replay(fields);
      list.clear();
      return this.#open(streamId, fields, isLast);
    }
    this.isUsed = true;
    this.lastStreamId = streamId;
    // What still comes of the request means nothing, as after a reset.
    if (!isLast) this.resets.remember(streamId);
    list.clear();
    this.outbox.lastingHeaders(streamId, refused);
  }

  #open(streamId: number, fields: RequestHeaders, isLast: boolean): void {
    if (this.end.isEnding) return this.#guard.glitch(); // section 6.8: the client knows that nobody has taken it
    this.lastStreamId = streamId;
    if (this.streams.size >= this.limits.maxConcurrentStreams) {
      // Section 5.1.2. It may have come before the client knew the limit, or beside a reset that makes room.
      return this.resets.refuseUnopened(streamId, errorCode.refusedStream, fields.headers);
    }
    if (fields.finish() !== undefined) {
      return this.resets.refuseUnopened(streamId, errorCode.protocolError, fields.headers);
    }
    const stream = new Http2Stream(this, streamId, fields);
    this.streams.add(stream);
    this.isUsed = true;
    this.#options.onStream(stream);
    if (isLast && !stream.received(nothing, true)) this.resets.refuse(stream, errorCode.protocolError);
  }
}

const nothing = Buffer.alloc(0);
const list = new HeaderList();
/** Smaller ones hardly pay for themselves. */
const smallUpdateBytes = 64;
