import { create, type Message } from '@bufbuild/protobuf';
import type { Compression } from '@connectrpc/connect/protocol';
import type { Limits } from '../../limits.ts';
import type { Route } from '../call/methods.ts';
import { serializeBatch } from './batch.ts';
import { compressedFlag, FrameWriter } from './frame.ts';

/** Until it is known how large the messages of a stream are, and at most: what a batch holds is not sent yet. */
const firstBatchMessages = 16;
const maxBatchMessages = 128;

/** How responses are turned into bytes. */
export interface ResponseFormat {
  readonly route: Route;
  /** Protobuf, else JSON. */
  readonly isBinary: boolean;
  readonly compression: Compression | null | undefined;
  readonly limits: Limits;
  /** Whether a message may be serialized after the method has gone on: it must not change it then. */
  readonly isBatching: boolean;
}

/** The messages of a response that are ready but not sent: those that are ready together leave in one write. */
export class Responses {
  readonly #format: ResponseFormat;
  readonly #isBatching: boolean;
  /** Whether the last messages were too small to be compressed, as the next ones will be then. */
  #areSmall: boolean;
  readonly #writer = new FrameWriter();
  #batch: Message[] = [];
  #batchMessages = firstBatchMessages;

  constructor(format: ResponseFormat) {
    this.#format = format;
    this.#isBatching = format.isBatching && format.isBinary;
    this.#areSmall = !format.compression;
  }

  /** Whether there is enough for a write. */
  get isFull(): boolean {
    return this.#writer.length >= this.#format.limits.maxQueuedBytes;
  }

  /** Adds a message. Returns a promise only if it has to be compressed. Throws if it can't be serialized. */
  add(message: Message): Promise<void> | undefined {
    const complete = create(this.#format.route.spec.method.output, message);
    if (!this.#isBatching || !this.#areSmall) return this.#addSingly(complete);
    this.#batch.push(complete);
    if (this.#batch.length >= this.#batchMessages) this.#serializeBatch();
    return undefined;
  }

  /**
   * Takes what is ready, framed; `undefined` if there is nothing. Throws if a message can't be serialized:
   * what came before it is taken by the next call.
   */
  take(): Buffer | undefined {
    if (this.#batch.length > 0) this.#serializeBatch();
    return this.#writer.length > 0 ? this.#writer.take() : undefined;
  }

  #serializeBatch(): void {
    const messages = this.#batch;
    this.#batch = [];
    const batch = this.#trySerializeBatch(messages);
    if (batch === undefined) {
      for (const message of messages) this.#writer.append(0, this.#serialize(message));
      return;
    }
    this.#writer.appendBatch(batch);
    const meanBytes = batch.length / messages.length;
    if (this.#format.compression) this.#areSmall = meanBytes < this.#format.limits.compressMinBytes;
    const fitting = Math.ceil(this.#format.limits.maxQueuedBytes / meanBytes);
    this.#batchMessages = Math.min(fitting, maxBatchMessages);
  }

  /** `undefined` if one of them can't be serialized, or might be too large: singly they tell which. */
  #trySerializeBatch(messages: readonly Message[]): Uint8Array | undefined {
    try {
      const batch = serializeBatch(this.#format.route.spec.method.output, messages);
      return batch.length <= this.#format.limits.maxMessageBytes ? batch : undefined;
    } catch {
      return undefined;
    }
  }

  #addSingly(message: Message): Promise<void> | undefined {
    const { compression, limits } = this.#format;
    const bytes = this.#serialize(message);
    this.#areSmall = !compression || bytes.length < limits.compressMinBytes;
    if (!compression || this.#areSmall) {
      this.#writer.append(0, bytes);
      return undefined;
    }
    return compression.compress(bytes).then((it) => this.#writer.append(compressedFlag, it));
  }

  #serialize(message: Message): Uint8Array {
    return this.#format.route.serialization.getO(this.#format.isBinary).serialize(message);
  }
}
