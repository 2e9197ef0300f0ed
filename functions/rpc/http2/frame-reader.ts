import { ConnectionFault, errorCode, flag, frameHeaderBytes, frameType, minFrameBytes } from './frame.ts';

/** Takes the frames of a connection, in their order. */
export interface FrameSink {
  /**
   * A whole frame, but for DATA: that may come in portions, each of which is handed over as soon as it is there.
   *
   * @param flags of portions but the last, without END_STREAM
   * @param bytes holds the payload from `from` to `to`; only that of DATA may be kept afterwards
   */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void;
}

/** The first bytes of a client (RFC 9113 section 3.4). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Cuts what a client sends into frames, wherever the network has cut it. */
export class FrameReader {
  readonly #sink: FrameSink;
  #prefaceBytes = 0;
  /** A header, or a payload that is no DATA, whose rest is still to come. */
  #header: Buffer | undefined;
  #headerBytes = 0;
  #payload: Buffer | undefined;
  #payloadBytes = 0;
  /** Of the frame that has begun. */
  #missing = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /**
   * Hands over the frames that are complete.
   *
   * @throws ConnectionFault for what is no HTTP/2, and what the sink throws
   */
  read(chunk: Buffer): void {
    let at = this.#prefaceBytes < preface.length ? this.#readPreface(chunk) : 0;
    while (at < chunk.length) {
      if (this.#missing === 0) {
        at = this.#readHeader(chunk, at);
        if (this.#headerBytes < frameHeaderBytes) return;
        if (this.#missing > minFrameBytes) {
          throw new ConnectionFault(errorCode.frameSizeError, 'a frame is larger than it may'); // section 4.2
        }
        this.#headerBytes = 0;
        if (this.#missing === 0) this.#sink.frame(this.#type, this.#flags, this.#streamId, chunk, at, at);
        continue; // a chunk may end here
      }
      at = this.#readPayload(chunk, at);
    }
  }

  #readPreface(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#prefaceBytes < preface.length) {
      if (chunk[at] !== preface[this.#prefaceBytes]) {
        throw new ConnectionFault(errorCode.protocolError, 'the client does not begin as HTTP/2 does');
      }
      at += 1;
      this.#prefaceBytes += 1;
    }
    return at;
  }

  /** Section 4.1. The reserved bit is ignored. */
  #readHeader(chunk: Buffer, from: number): number {
    let header = chunk;
    let start = from;
    let at = from + frameHeaderBytes;
    if (this.#headerBytes > 0 || at > chunk.length) {
      at = Math.min(chunk.length, from + frameHeaderBytes - this.#headerBytes);
      // Not of the pool, which a connection would keep.
      header = this.#header ??= Buffer.allocUnsafeSlow(frameHeaderBytes);
      for (let index = from; index < at; index++) header[this.#headerBytes++] = chunk[index] ?? 0;
      if (this.#headerBytes < frameHeaderBytes) return at;
      start = 0;
    }
    this.#headerBytes = frameHeaderBytes;
    this.#missing = header.readUIntBE(start, 3);
    this.#type = header[start + 3] ?? 0;
    this.#flags = header[start + 4] ?? 0;
    this.#streamId = header.readUInt32BE(start + 5) & 0x7fffffff;
    return at;
  }

  #readPayload(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.#missing);
    const isRest = to - from === this.#missing;
    // Padding stands at the end of a frame, but its length at the beginning.
    const isPortion = this.#type === frameType.data && (this.#flags & flag.padded) === 0;
    if (isPortion || (isRest && this.#payloadBytes === 0)) {
      this.#missing -= to - from;
      const flags = isRest ? this.#flags : this.#flags & ~flag.endStream;
      this.#sink.frame(this.#type, flags, this.#streamId, chunk, from, to);
      return to;
    }
    this.#payload ??= Buffer.allocUnsafe(this.#missing);
    this.#payloadBytes += chunk.copy(this.#payload, this.#payloadBytes, from, to);
    this.#missing -= to - from;
    if (isRest) {
      const payload = this.#payload;
      this.#payload = undefined;
      this.#payloadBytes = 0;
      this.#sink.frame(this.#type, this.#flags, this.#streamId, payload, 0, payload.length);
    }
    return to;
  }
}
