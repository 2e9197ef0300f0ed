import type { Message } from '@bufbuild/protobuf';
import type { Compression } from '@connectrpc/connect/protocol';
import { rpcError } from '../errors.ts';
import { compressedFlag, FrameReader, payloadOfOnly } from './frame.ts';
import { type Frame, Requests } from './request-queue.ts';

/** How the messages of a request are read. */
export interface RequestFormat {
  readonly serialization: { parse(bytes: Uint8Array): Message };
  readonly compression: Compression | null | undefined;
  /** The largest message, before and after decompression. */
  readonly maxBytes: number;
}

/** Reads the request of a gRPC call: the one message that the method takes, or the stream of them. */
export class RequestReader {
  readonly #format: RequestFormat;
  #flags = 0;
  #payload: Uint8Array | undefined;
  #requests: Requests | undefined;
  #frames: FrameReader | undefined;

  constructor(format: RequestFormat) {
    this.#format = format;
  }

  /** For a method that takes a stream: the messages, as they come. Too many unread ones pause the flow. */
  messages(flow: { pause(): void; resume(): void }, maxQueued: number): Requests {
    this.#requests = new Requests((frame) => this.#decode(frame), flow, maxQueued);
    return this.#requests;
  }

  /** Takes bytes as they arrive. Throws for what can't be part of a request. */
  push(chunk: Buffer): void {
    const { maxBytes } = this.#format;
    if (this.#frames === undefined && this.#requests === undefined && this.#payload === undefined) {
      this.#payload = payloadOfOnly(chunk, maxBytes);
      if (this.#payload !== undefined) {
        this.#flags = chunk[0] ?? 0;
        return;
      }
    }
    this.#frames ??= new FrameReader(maxBytes, (flags, payload) => this.#onFrame(flags, payload));
    this.#frames.push(chunk);
  }

  /** The request is complete. Returns the message of a method that takes one. Throws if it is not a whole request. */
  end(): Message | Promise<Message> | undefined {
    if (this.#frames?.isPartial) throw rpcError('TRUNCATED_MESSAGE');
    if (this.#requests !== undefined) {
      this.#requests.end();
      return undefined;
    }
    if (this.#payload === undefined) throw rpcError('MISSING_MESSAGE');
    return this.#decode({ flags: this.#flags, payload: this.#payload });
  }

  /** The call is over: who reads on gets the error, and what still comes is dropped. */
  stop(error: Error | undefined): void {
    if (error !== undefined) this.#requests?.end(error);
    this.#requests?.discard();
  }

  #onFrame(flags: number, payload: Uint8Array): void {
    if (this.#requests !== undefined) return this.#requests.push({ flags, payload });
    if (this.#payload !== undefined) throw rpcError('EXTRA_MESSAGE');
    this.#flags = flags;
    this.#payload = payload;
  }

  #decode({ flags, payload }: Frame): Message | Promise<Message> {
    if ((flags & compressedFlag) === 0) return this.#parse(payload);
    const { compression, maxBytes } = this.#format;
    if (!compression) throw rpcError('UNEXPECTED_COMPRESSION');
    return compression.decompress(payload, maxBytes).then((bytes) => this.#parse(bytes));
  }

  /** What can't be read is quoted by no error: it may be a password. */
  #parse(bytes: Uint8Array): Message {
    try {
      return this.#format.serialization.parse(bytes);
    } catch {
      throw rpcError('BAD_MESSAGE');
    }
  }
}
