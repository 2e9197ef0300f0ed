import type { Duplex } from 'node:stream';
import {
  ConnectionFault,
  type ErrorCode,
  errorCode,
  flag,
  frameHeaderBytes,
  frameType,
  minFrameBytes,
} from './frame.ts';
import { encodeField, maxFieldBytes } from './hpack/encoder.ts';
import { LastingFields } from './hpack/lasting-fields.ts';
import { defaultTableBytes } from './settings.ts';

/** What is written at once. Buffers are shared, so that a connection that is idle has none. */
const bufferBytes = 64 * 1024;
const maxSpares = 16;
/** Answers to PING and SETTINGS, and resets: some 10,000. */
const maxAnswerBytes = 256 * 1024;
const spares: Buffer[] = [];

/** What the outbox needs of its connection. */
export interface OutboxOwner {
  /** All that was in it is with the system now, or is being written: there is room again. */
  flushed(): void;
}

/**
 * Frames that are to be sent. All that is made in a turn of the event loop leaves in one write. While the system takes
 * no more, frames wait here; what may wait is for those to bound who put it in: DATA asks for `room`.
 */
export class Outbox {
  readonly #socket: Duplex;
  readonly #owner: OutboxOwner;
  #buffer: Buffer | undefined;
  #length = 0;
  /** How many of them answer PINGs and SETTINGS, or reset streams. */
  #answerBytes = 0;
  #isScheduled = false;
  #isWriting = false;
  /** Made for the first list that lasts; never where the peer has a smaller table than most. */
  #lasting: LastingFields | undefined;
  #hasTable = true;
  /** Whether the next block has to say first that no table is used (RFC 7541 section 4.2). */
  #tellsTableSize = false;
  /** The largest frame that the peer takes. */
  maxFrameBytes = minFrameBytes;

  constructor(socket: Duplex, owner: OutboxOwner) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** How many bytes of DATA may be put in. */
  get room(): number {
    return Math.max(0, bufferBytes - this.#length - 2 * frameHeaderBytes);
  }

  /** Whether so many answers wait that no more questions should be read. */
  get isCrowded(): boolean {
    return this.#length > maxAnswerBytes / 2;
  }

  /**
   * Answers of a client that asks without reading must not pile up (CVE-2019-9512, 9515).
   *
   * @throws ConnectionFault
   */
  checkAnswers(): void {
    if (this.#answerBytes > maxAnswerBytes) {
      throw new ConnectionFault(errorCode.enhanceYourCalm, 'the client asks, and does not read the answers');
    }
  }

  /** Whether nothing waits here or in the socket. */
  get isEmpty(): boolean {
    return this.#length === 0 && !this.#isWriting;
  }

  /** A part of a body. The last of a stream ends it. */
  data(streamId: number, bytes: Uint8Array, from: number, to: number, isLast: boolean): void {
    const buffer = this.#begin(to - from, frameType.data, isLast ? flag.endStream : 0, streamId);
    let at = this.#length;
    // Byte by byte: for so few a view costs more.
    if (to - from <= 64) for (let index = from; index < to; index++) buffer[at++] = bytes[index] ?? 0;
    else buffer.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), at);
    this.#length += to - from;
  }

  /** Headers or trailers, names and values in turn. @throws TypeError for a header that HTTP/2 has no place for */
  headers(streamId: number, fields: readonly string[], isLast: boolean): void {
    this.#headers(streamId, fields, isLast, undefined);
  }

  /** Headers that answer a request whole, and are the same list each time. */
  lastingHeaders(streamId: number, fields: readonly string[]): void {
    if (this.#hasTable) this.#lasting ??= new LastingFields(defaultTableBytes);
    this.#headers(streamId, fields, true, this.#lasting);
  }

  /** Settings, ids and values in turn (RFC 9113 section 6.5). */
  settings(pairs: readonly number[]): void {
    const buffer = this.#begin(3 * pairs.length, frameType.settings, 0, 0);
    for (let index = 0; index < pairs.length; index += 2) {
      buffer.writeUInt16BE(pairs[index] ?? 0, this.#length);
      buffer.writeUInt32BE(pairs[index + 1] ?? 0, this.#length + 2);
      this.#length += 6;
    }
  }

  settingsAck(): void {
    this.#begin(0, frameType.settings, flag.ack, 0);
    this.#answerBytes += frameHeaderBytes;
  }

  /** `payload`: eight bytes. */
  ping(payload: Buffer, isAck: boolean): void {
    const buffer = this.#begin(8, frameType.ping, isAck ? flag.ack : 0, 0);
    if (isAck) this.#answerBytes += frameHeaderBytes + 8;
    this.#length += payload.copy(buffer, this.#length, 0, 8);
  }

  resetStream(streamId: number, code: ErrorCode): void {
    this.#answerBytes += frameHeaderBytes + 4;
    this.#number(frameType.resetStream, streamId, code);
  }

  /** Lets the peer send more, of a stream or, with 0, of the connection. */
  windowUpdate(streamId: number, bytes: number): void {
    this.#number(frameType.windowUpdate, streamId, bytes);
  }

  /** `about` is for people who look at the peer. */
  goaway(lastStreamId: number, code: ErrorCode, about = ''): void {
    const buffer = this.#begin(8 + about.length, frameType.goaway, 0, 0);
    buffer.writeUInt32BE(lastStreamId, this.#length);
    buffer.writeUInt32BE(code, this.#length + 4);
    this.#length += 8 + buffer.write(about, this.#length + 8, 'latin1');
  }

  /** The peer has made its table smaller, and wants to hear what becomes of it before the next field. */
  tableShrinks(): void {
    this.#hasTable = false;
    this.#lasting = undefined;
    this.#tellsTableSize = true;
  }

  /**
   * Hands everything to the socket, unless that is still at the write before; then it follows by itself.
   *
   * @param isLast nothing follows: the socket is about to end
   */
  flush(isLast = false): void {
    if ((this.#isWriting && !isLast) || this.#buffer === undefined || this.#length === 0) return;
    const buffer = this.#buffer;
    const bytes = buffer.subarray(0, this.#length);
    this.#buffer = undefined;
    this.#length = 0;
    this.#answerBytes = 0;
    this.#isWriting = true;
    this.#socket.write(bytes, (error) => {
      this.#isWriting = false;
      if (buffer.length === bufferBytes && spares.length < maxSpares) spares.push(buffer);
      if (error) return;
      this.flush(); // what has come meanwhile, so that there is room for those who wait
      this.#owner.flushed();
      this.flush();
    });
  }

  #headers(
    streamId: number,
    fields: readonly string[],
    isLast: boolean,
    lasting: LastingFields | undefined,
  ): void {
    let most = 1;
    for (let index = 0; index < fields.length; index += 2) {
      most += maxFieldBytes(fields[index] ?? '', fields[index + 1] ?? '');
    }
    const buffer = this.#reserve(frameHeaderBytes + most);
    const start = this.#length;
    let at = start + frameHeaderBytes;
    if (this.#tellsTableSize) buffer[at++] = 0x20;
    if (lasting !== undefined) at = lasting.encode(fields, buffer, at);
    else {
      for (let index = 0; index < fields.length; index += 2) {
        at = encodeField(fields[index] ?? '', fields[index + 1] ?? '', buffer, at);
      }
    }
    this.#tellsTableSize = false;
    const flags = isLast ? flag.endStream : 0;
    const bytes = at - start - frameHeaderBytes;
    if (bytes > this.maxFrameBytes) {
      return this.#inFrames(Buffer.from(buffer.subarray(start + frameHeaderBytes, at)), streamId, flags);
    }
    writeHeader(buffer, start, bytes, frameType.headers, flags | flag.endHeaders, streamId);
    this.#length = at;
  }

  #number(type: number, streamId: number, value: number): void {
    const buffer = this.#begin(4, type, 0, streamId);
    buffer.writeUInt32BE(value, this.#length);
    this.#length += 4;
  }

  /** Makes room for a frame and writes its header. */
  #begin(payloadBytes: number, type: number, flags: number, streamId: number): Buffer {
    const buffer = this.#reserve(frameHeaderBytes + payloadBytes);
    writeHeader(buffer, this.#length, payloadBytes, type, flags, streamId);
    this.#length += frameHeaderBytes;
    return buffer;
  }

  #reserve(bytes: number): Buffer {
    const needed = this.#length + bytes;
    let buffer = this.#buffer;
    if (buffer === undefined || needed > buffer.length) {
      const next =
        needed <= bufferBytes
          ? (spares.pop() ?? Buffer.allocUnsafeSlow(bufferBytes))
          : Buffer.allocUnsafe(2 * needed);
      buffer?.copy(next, 0, 0, this.#length);
      buffer = next;
      this.#buffer = next;
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(flushNow, this);
    }
    return buffer;
  }

  /** A block that no frame of the peer can hold (RFC 9113 section 4.3). */
  #inFrames(block: Buffer, streamId: number, flags: number): void {
    for (let at = 0; at < block.length; at += this.maxFrameBytes) {
      const part = block.subarray(at, at + this.maxFrameBytes);
      const type = at === 0 ? frameType.headers : frameType.continuation;
      const ends = at + part.length === block.length ? flag.endHeaders : 0;
      const buffer = this.#begin(part.length, type, (at === 0 ? flags : 0) | ends, streamId);
      this.#length += part.copy(buffer, this.#length);
    }
  }

  /** For the timer. */
  flushScheduled(): void {
    this.#isScheduled = false;
    this.flush();
  }
}

function flushNow(outbox: Outbox): void {
  outbox.flushScheduled();
}

function writeHeader(
  buffer: Buffer,
  at: number,
  bytes: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  buffer[at] = bytes >>> 16;
  buffer[at + 1] = bytes >>> 8;
  buffer[at + 2] = bytes;
  buffer[at + 3] = type;
  buffer[at + 4] = flags;
  buffer[at + 5] = streamId >>> 24;
  buffer[at + 6] = streamId >>> 16;
  buffer[at + 7] = streamId >>> 8;
  buffer[at + 8] = streamId;
}
