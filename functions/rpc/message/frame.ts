import { rpcError } from '../errors.ts';
import { eachOfBatch } from './batch.ts';

/**
 * Length-prefixed messages: one byte of flags, four of length, the message.
 * Source: "Length-Prefixed-Message" in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
const prefixBytes = 5;
/** The flag of a compressed message. */
export const compressedFlag = 1;

/** The message, if the chunk is just one whole message within the limit, as for most unary calls. */
export function payloadOfOnly(chunk: Buffer, maxBytes: number): Uint8Array | undefined {
  if (chunk.length < prefixBytes || chunk.length > prefixBytes + maxBytes) return undefined;
  return chunk.readUInt32BE(1) === chunk.length - prefixBytes ? chunk.subarray(prefixBytes) : undefined;
}

/** Takes the bytes of a request as they come and hands on each whole message. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #onFrame: (flags: number, payload: Uint8Array) => void;
  /** The beginning of a message whose end has not come yet, with room to grow. */
  #rest: Buffer = Buffer.alloc(0);
  #restBytes = 0;

  /** `maxBytes`: the largest message, as it is on the wire. */
  constructor(maxBytes: number, onFrame: (flags: number, payload: Uint8Array) => void) {
    this.#maxBytes = maxBytes;
    this.#onFrame = onFrame;
  }

  /** Whether the bytes so far end in the middle of a message. */
  get isPartial(): boolean {
    return this.#restBytes > 0;
  }

  /** Throws MESSAGE_TOO_LARGE as soon as the length of a message is known, before it is there. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#restBytes > 0) {
      this.#keep(chunk);
      bytes = this.#rest.subarray(0, this.#restBytes);
    }
    let offset = 0;
    while (bytes.length - offset >= prefixBytes) {
      const length = bytes.readUInt32BE(offset + 1);
      if (length > this.#maxBytes) throw messageTooLarge(length, this.#maxBytes);
      const end = offset + prefixBytes + length;
      if (end > bytes.length) break;
      this.#onFrame(bytes[offset] ?? 0, bytes.subarray(offset + prefixBytes, end));
      offset = end;
    }
    if (bytes !== chunk && offset === 0) return;
    // What was handed on keeps its buffer: the rest gets another.
    this.#restBytes = 0;
    this.#rest = Buffer.alloc(0);
    if (offset < bytes.length) this.#keep(bytes.subarray(offset));
  }

  /** Copies: a client that sends byte by byte would have us keep a buffer for each. */
  #keep(chunk: Buffer): void {
    const needBytes = this.#restBytes + chunk.length;
    if (needBytes > this.#rest.length) {
      const grown = Buffer.allocUnsafe(Math.max(needBytes, 2 * this.#restBytes, smallBytes));
      this.#rest.copy(grown, 0, 0, this.#restBytes);
      this.#rest = grown;
    }
    chunk.copy(this.#rest, this.#restBytes);
    this.#restBytes = needBytes;
  }
}

/** What room a buffer has at first. */
const smallBytes = 1024;

/** Collects messages, so that they leave in one write. */
export class FrameWriter {
  #buffer: Buffer = Buffer.alloc(0);
  #usedBytes = 0;

  /** How many bytes wait to be taken. */
  get length(): number {
    return this.#usedBytes;
  }

  /** Adds one message. */
  append(flags: number, payload: Uint8Array): void {
    this.#makeRoom(prefixBytes + payload.length);
    writePrefix(this.#buffer, this.#usedBytes, flags, payload.length);
    this.#buffer.set(payload, this.#usedBytes + prefixBytes);
    this.#usedBytes += prefixBytes + payload.length;
  }

  /** Adds messages that were serialized together. */
  appendBatch(batch: Uint8Array): void {
    eachOfBatch(batch, (start, end) => {
      const length = end - start;
      this.#makeRoom(prefixBytes + length);
      const target = this.#buffer;
      writePrefix(target, this.#usedBytes, 0, length);
      let at = this.#usedBytes + prefixBytes;
      this.#usedBytes = at + length;
      // A view of its own for a few bytes takes longer than copying them.
      if (length > 128) target.set(batch.subarray(start, end), at);
      else for (let from = start; from < end; from += 1) target[at++] = batch[from] ?? 0;
    });
  }

  /** Gives away what has been collected. The rest of the buffer, when worth it, serves the next messages. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#usedBytes);
    this.#buffer = this.#buffer.subarray(this.#usedBytes);
    this.#usedBytes = 0;
    return taken;
  }

  #makeRoom(bytes: number): void {
    const end = this.#usedBytes + bytes;
    if (end <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(end, this.#usedBytes * 2, smallBytes));
    this.#buffer.copy(grown, 0, 0, this.#usedBytes);
    this.#buffer = grown;
  }
}

/** One message with its prefix. */
export function encodeFrame(flags: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(prefixBytes + payload.length);
  writePrefix(frame, 0, flags, payload.length);
  frame.set(payload, prefixBytes);
  return frame;
}

/** The error for a message beyond the limit, with both sizes. */
export function messageTooLarge(bytes: number, maxBytes: number) {
  return rpcError('MESSAGE_TOO_LARGE', `${bytes} bytes, at most ${maxBytes}`);
}

function writePrefix(target: Buffer, offset: number, flags: number, length: number): void {
  target[offset] = flags;
  target.writeUInt32BE(length, offset + 1);
}
