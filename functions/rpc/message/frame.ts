import { rpcError } from '../errors.ts';
import { frameSmall, placeOf } from './batch.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { messageTooLarge } from './compression.ts';

/**
 * Length-prefixed messages: one byte of flags, four of length, the message. gRPC, gRPC-Web and Connect's streams share
 * them. Source: "Length-Prefixed-Message" in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export const framePrefixBytes = 5;
/** The flag of a compressed message, the only one that a request may have. */
export const compressedFlag = 1;

/** A message as it has arrived. */
export interface Frame {
  readonly flags: number;
  readonly payload: Uint8Array;
}

/** The message, if the chunk is just one whole message within the limit, as for most unary calls. */
export function payloadOfOnly(chunk: Buffer, maxBytes: number): Uint8Array | undefined {
  if (chunk.length < framePrefixBytes || chunk.length > framePrefixBytes + maxBytes) return undefined;
  if (chunk.readUInt32BE(1) !== chunk.length - framePrefixBytes) return undefined;
  checkFlags(chunk[0] ?? 0);
  return chunk.subarray(framePrefixBytes);
}

/** Takes the bytes of a request as they come and hands on each whole message. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #onFrame: (flags: number, payload: Uint8Array) => void;
  /** The beginning of a message whose end has not come yet. */
  #rest = new ByteBuffer();

  /** `maxBytes`: the largest message, as it is on the wire. */
  constructor(maxBytes: number, onFrame: (flags: number, payload: Uint8Array) => void) {
    this.#maxBytes = maxBytes;
    this.#onFrame = onFrame;
  }

  /** Whether the bytes so far end in the middle of a message. */
  get isPartial(): boolean {
    return this.#rest.length > 0;
  }

  /** Throws MESSAGE_TOO_LARGE as soon as the length of a message is known, before it is there; BAD_FLAGS likewise. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      this.#rest.append(chunk);
      bytes = this.#rest.bytes;
    }
    let offset = 0;
    while (bytes.length - offset >= framePrefixBytes) {
      const flags = bytes[offset] ?? 0;
      const length = bytes.readUInt32BE(offset + 1);
      checkFlags(flags);
      if (length > this.#maxBytes) throw messageTooLarge(length, this.#maxBytes);
      const end = offset + framePrefixBytes + length;
      if (end > bytes.length) break;
      this.#onFrame(flags, bytes.subarray(offset + framePrefixBytes, end));
      offset = end;
    }
    if (bytes !== chunk && offset === 0) return;
    // What was handed on keeps its buffer: the rest gets another.
    this.#rest = new ByteBuffer();
    if (offset < bytes.length) this.#rest.append(bytes.subarray(offset));
  }
}

function checkFlags(flags: number): void {
  if (flags > compressedFlag) throw rpcError('BAD_FLAGS', `${flags}`);
}

/** Collects messages, so that they leave in one write. */
export class FrameWriter {
  readonly #buffer = new ByteBuffer();
  #messages = 0;

  /** How many messages wait to be taken. */
  get messages(): number {
    return this.#messages;
  }

  /** How many bytes wait to be taken. */
  get length(): number {
    return this.#buffer.length;
  }

  /** Adds one message. */
  append(flags: number, payload: Uint8Array): void {
    const start = this.#buffer.length;
    const target = this.#buffer.reserve(framePrefixBytes + payload.length);
    writePrefix(target, start, flags, payload.length);
    target.set(payload, start + framePrefixBytes);
    this.#messages += 1;
  }

  /** Adds messages that were serialized together, whose buffer is given away. */
  appendBatch(batch: Uint8Array): void {
    let at = 0;
    while (at < batch.length) {
      const { end, messages } = frameSmall(batch, at);
      if (messages > 0) this.#buffer.append(batch.subarray(at, end));
      this.#messages += messages;
      if (end === batch.length) return;
      const { from, to } = placeOf(batch, end);
      this.append(0, batch.subarray(from, to));
      at = to;
    }
  }

  /** Gives away what has been collected. */
  take(): Buffer {
    this.#messages = 0;
    return this.#buffer.take();
  }
}

/** One message with its prefix. */
export function encodeFrame(flags: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(framePrefixBytes + payload.length);
  writePrefix(frame, 0, flags, payload.length);
  frame.set(payload, framePrefixBytes);
  return frame;
}

function writePrefix(target: Buffer, offset: number, flags: number, length: number): void {
  target[offset] = flags;
  target.writeUInt32BE(length, offset + 1);
}
