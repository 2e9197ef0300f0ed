import type { DescMessage, Message } from '@bufbuild/protobuf';
import { serializeBatch } from './batch.ts';
import { FrameWriter, framePrefixBytes } from './frame.ts';
import type { MessageEncoder } from './message-encoder.ts';

/** Messages in a batch: at first, while their size is unknown, and at most. What a batch holds is not sent yet. */
const firstBatchMessages = 16;
const maxBatchMessages = 128;

/** Counts what is sent of a response. */
export interface SentCount {
  /** The messages, and their bytes as they go, without frames. */
  sentMessages: number;
  sentBytes: number;
}

/** The messages of a response that are ready but not sent. Those that are ready together leave in one write. */
export class ResponseBatch {
  readonly #encoder: MessageEncoder;
  /** The type of the messages, if they may be serialized together, after the method has gone on. */
  readonly #batchType: DescMessage | undefined;
  readonly #maxBytes: number;
  readonly #sent: SentCount;
  /** Whether the last messages were too small to be compressed, as the next ones will be then. */
  #areSmall: boolean;
  readonly #writer = new FrameWriter();
  #batch: Message[] = [];
  #batchMessages = firstBatchMessages;
  readonly #append = (flags: number, payload: Uint8Array) => this.#writer.append(flags, payload);

  /** `keptType`: the type of the messages, if the method does not change them once yielded. `maxBytes`: of a write. */
  constructor(encoder: MessageEncoder, keptType: DescMessage | undefined, maxBytes: number, sent: SentCount) {
    this.#sent = sent;
    this.#encoder = encoder;
    this.#batchType = encoder.isBinary ? keptType : undefined;
    this.#areSmall = !encoder.isCompressing;
    this.#maxBytes = maxBytes;
  }

  /** Whether there is enough for a write. */
  get isFull(): boolean {
    return this.#writer.length >= this.#maxBytes;
  }

  /** Adds a message. Returns a promise only if it has to be compressed. @throws if it can't be serialized */
  add(message: Message): Promise<void> | undefined {
    if (this.#batchType === undefined || !this.#areSmall) return this.#addSingly(message);
    this.#batch.push(message);
    if (this.#batch.length >= this.#batchMessages) this.#serializeBatch(this.#batchType);
    return undefined;
  }

  /**
   * Takes what is ready, framed; `undefined` if there is nothing. Throws if a message can't be serialized: the next
   * call takes what came before it.
   */
  take(): Buffer | undefined {
    if (this.#batchType !== undefined && this.#batch.length > 0) this.#serializeBatch(this.#batchType);
    const { length, messages } = this.#writer;
    if (length === 0) return undefined;
    this.#sent.sentMessages += messages;
    this.#sent.sentBytes += length - messages * framePrefixBytes;
    return this.#writer.take();
  }

  #serializeBatch(type: DescMessage): void {
    const messages = this.#batch;
    this.#batch = [];
    const batch = this.#trySerializeBatch(type, messages);
    if (batch === undefined) {
      for (const message of messages) this.#writer.append(0, this.#encoder.serialize(message));
      return;
    }
    this.#writer.appendBatch(batch);
    const meanBytes = batch.length / messages.length;
    this.#areSmall = this.#encoder.isSmall(meanBytes);
    const fitting = Math.ceil(this.#maxBytes / meanBytes);
    this.#batchMessages = Math.min(fitting, maxBatchMessages);
  }

  /** Returns `undefined` if a message can't be serialized, or might be too large: one by one, they tell which. */
  #trySerializeBatch(type: DescMessage, messages: readonly Message[]): Uint8Array | undefined {
    try {
      const batch = serializeBatch(type, messages);
      return batch.length <= this.#encoder.limits.maxMessageBytes ? batch : undefined;
    } catch {
      return undefined;
    }
  }

  #addSingly(message: Message): Promise<void> | undefined {
    const before = this.#writer.length;
    const encoding = this.#encoder.encode(message, this.#append);
    this.#areSmall = encoding === undefined && this.#encoder.isSmall(this.#writer.length - before);
    return encoding;
  }
}
