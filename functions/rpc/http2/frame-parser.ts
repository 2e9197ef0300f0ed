import type { RpcLimits } from '../limits.ts';
import type { FloodGuard } from './flood-guard.ts';
import { ConnectionFault, errorCode, flag, frameType, maxUint31 } from './frame.ts';
import type { FrameSink } from './frame-reader.ts';

/** Takes what frames say, in their order. `bytes` from `from` to `to` are kept afterwards only where that is said. */
export interface FrameHandler {
  /**
   * A part of a request's body, which may be kept.
   *
   * @param paddingBytes what has come with it, and counts for the windows
   */
  data(
    streamId: number,
    bytes: Buffer,
    from: number,
    to: number,
    paddingBytes: number,
    isLast: boolean,
  ): void;
  /** A whole header block. */
  block(streamId: number, bytes: Buffer, from: number, to: number, isLast: boolean): void;
  resetStream(streamId: number): void;
  settings(bytes: Buffer, from: number, to: number): void;
  settingsAcknowledged(): void;
  /** Eight bytes. */
  ping(payload: Buffer): void;
  /** The answer to one of ours, or what claims to be. */
  pong(payload: Buffer): void;
  /** `bytes` may be zero, which is a fault. */
  windowUpdate(streamId: number, bytes: number): void;
  /** A header block does not end in time. */
  late(fault: ConnectionFault): void;
}

/** nghttp2 takes as many: https://nghttp2.org/documentation/nghttp2_option_set_max_continuations.html */
const maxBlockFrames = 9;

/** Checks the form of frames, each by its type, and puts header blocks together (RFC 9113 section 6). */
export class FrameParser implements FrameSink {
  readonly #handler: FrameHandler;
  readonly #guard: FloodGuard;
  readonly #limits: Pick<RpcLimits, 'maxHeaderBytes' | 'handshakeTimeoutMs'>;
  /** Frames that were no PING. */
  otherFrames = 0;
  #hasSettings = false;
  /** A header block that CONTINUATION goes on with. */
  #block: Buffer[] | undefined;
  #blockBytes = 0;
  #blockStreamId = 0;
  #isLastOfBlock = false;
  #blockTimer: NodeJS.Timeout | undefined;

  constructor(
    handler: FrameHandler,
    guard: FloodGuard,
    limits: Pick<RpcLimits, 'maxHeaderBytes' | 'handshakeTimeoutMs'>,
  ) {
    this.#handler = handler;
    this.#guard = guard;
    this.#limits = limits;
  }

  frame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (this.#block !== undefined && type !== frameType.continuation) {
      throw new ConnectionFault(errorCode.protocolError, 'a header block is interrupted'); // section 6.10
    }
    if (!this.#hasSettings && type !== frameType.settings) {
      throw new ConnectionFault(errorCode.protocolError, 'the first frame is no SETTINGS'); // section 3.4
    }
    if (type !== frameType.ping) this.otherFrames += 1;
    switch (type) {
      case frameType.data:
        return this.#data(flags, streamId, bytes, from, to);
      case frameType.headers:
        return this.#headers(flags, streamId, bytes, from, to);
      case frameType.priority:
        return this.#priority(streamId, bytes, from, to);
      case frameType.resetStream:
        if (to - from !== 4) throw new ConnectionFault(errorCode.frameSizeError, 'RST_STREAM has four bytes');
        return this.#handler.resetStream(streamId); // section 6.4
      case frameType.settings:
        return this.#settings(flags, streamId, bytes, from, to);
      case frameType.pushPromise:
        throw new ConnectionFault(errorCode.protocolError, 'a client does not push'); // section 8.4
      case frameType.ping:
        return this.#ping(flags, streamId, bytes, from, to);
      case frameType.goaway:
        return this.#goaway(streamId, to - from);
      case frameType.windowUpdate:
        if (to - from !== 4)
          throw new ConnectionFault(errorCode.frameSizeError, 'WINDOW_UPDATE has four bytes');
        return this.#handler.windowUpdate(streamId, bytes.readUInt32BE(from) & maxUint31); // section 6.9
      case frameType.continuation:
        return this.#continuation(flags, streamId, bytes, from, to);
      default:
        this.#guard.glitch(); // section 5.5: ignored
    }
  }

  /** The connection is over. */
  close(): void {
    clearTimeout(this.#blockTimer);
  }

  /** Section 6.1. */
  #data(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    const [start, end] = unpadded(flags, bytes, from, to);
    const isLast = (flags & flag.endStream) !== 0;
    if (start === end && !isLast) this.#guard.glitch();
    this.#handler.data(streamId, bytes, start, end, to - from - (end - start), isLast);
  }

  /** Section 6.2. */
  #headers(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId % 2 === 0) {
      throw new ConnectionFault(errorCode.protocolError, 'a request has no such stream id'); // section 5.1.1
    }
    let [start, end] = unpadded(flags, bytes, from, to);
    if ((flags & flag.priority) !== 0) {
      if (end - start < 5) throw new ConnectionFault(errorCode.frameSizeError, 'HEADERS lacks its priority');
      checkDependency(streamId, bytes, start);
      start += 5;
    }
    const isLast = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) !== 0) return this.#handler.block(streamId, bytes, start, end, isLast);
    this.#block = [Buffer.from(bytes.subarray(start, end))];
    this.#blockBytes = end - start;
    this.#blockStreamId = streamId;
    this.#isLastOfBlock = isLast;
    this.#blockTimer = setTimeout(() => {
      this.#handler.late(
        new ConnectionFault(errorCode.enhanceYourCalm, 'a header block does not end in time'),
      );
    }, this.#limits.handshakeTimeoutMs).unref();
  }

  /** Section 6.10. A block that goes on without end is an attack (CVE-2024-27316). */
  #continuation(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (this.#block === undefined || streamId !== this.#blockStreamId) {
      throw new ConnectionFault(errorCode.protocolError, 'CONTINUATION continues nothing');
    }
    if (to === from) this.#guard.glitch();
    this.#blockBytes += to - from;
    if (this.#blockBytes > 2 * this.#limits.maxHeaderBytes || this.#block.length >= maxBlockFrames) {
      throw new ConnectionFault(errorCode.enhanceYourCalm, 'a header block is too long');
    }
    this.#block.push(Buffer.from(bytes.subarray(from, to)));
    if ((flags & flag.endHeaders) === 0) return;
    clearTimeout(this.#blockTimer);
    const block = Buffer.concat(this.#block);
    this.#block = undefined;
    this.#handler.block(streamId, block, 0, block.length, this.#isLastOfBlock);
  }

  /** Section 6.3. Priorities mean nothing here (section 5.3.2), but they have a form. */
  #priority(streamId: number, bytes: Buffer, from: number, to: number): void {
    this.#guard.glitch();
    if (streamId === 0) throw new ConnectionFault(errorCode.protocolError, 'PRIORITY is of a stream');
    if (to - from !== 5) throw new ConnectionFault(errorCode.frameSizeError, 'PRIORITY has five bytes');
    checkDependency(streamId, bytes, from);
  }

  /** Section 6.5. */
  #settings(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId !== 0) throw new ConnectionFault(errorCode.protocolError, 'SETTINGS is of the connection');
    if ((flags & flag.ack) === 0) {
      if (this.#hasSettings) this.#guard.glitch();
      this.#hasSettings = true;
      return this.#handler.settings(bytes, from, to);
    }
    if (to > from) throw new ConnectionFault(errorCode.frameSizeError, 'an acknowledgement is empty');
    if (!this.#hasSettings) {
      throw new ConnectionFault(errorCode.protocolError, 'the first frame is no SETTINGS');
    }
    this.#guard.glitch();
    this.#handler.settingsAcknowledged();
  }

  /** Section 6.7. */
  #ping(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId !== 0) throw new ConnectionFault(errorCode.protocolError, 'PING is of the connection');
    if (to - from !== 8) throw new ConnectionFault(errorCode.frameSizeError, 'PING has eight bytes');
    const payload = bytes.subarray(from, to);
    if ((flags & flag.ack) !== 0) return this.#handler.pong(payload);
    this.#handler.ping(payload);
  }

  /** Section 6.8. The client goes; its calls may finish. */
  #goaway(streamId: number, length: number): void {
    if (streamId !== 0) throw new ConnectionFault(errorCode.protocolError, 'GOAWAY is of the connection');
    if (length < 8) throw new ConnectionFault(errorCode.frameSizeError, 'GOAWAY has eight bytes or more');
    this.#guard.glitch();
  }
}

/** Where the payload is, without its padding (section 6.1). */
function unpadded(flags: number, bytes: Buffer, from: number, to: number): readonly [number, number] {
  if ((flags & flag.padded) === 0) return [from, to];
  const padding = bytes[from] ?? 0;
  if (from + 1 + padding > to) throw new ConnectionFault(errorCode.protocolError, 'more padding than frame');
  return [from + 1, to - padding];
}

/** RFC 7540 section 5.3.1. */
function checkDependency(streamId: number, bytes: Buffer, at: number): void {
  if ((bytes.readUInt32BE(at) & maxUint31) === streamId) {
    throw new ConnectionFault(errorCode.protocolError, 'a stream depends on itself');
  }
}
