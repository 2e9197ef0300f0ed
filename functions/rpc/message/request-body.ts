import type { Message } from '@bufbuild/protobuf';
import type { Method } from '../call/methods.ts';
import type { CallPolicy } from '../call/policy.ts';
import type { Wire } from '../call/wire.ts';
import { canceled, rpcError, unexpectedCompression } from '../errors.ts';
import { ByteBuffer } from './byte-buffer.ts';
import type { Codec, Ending } from './codec.ts';
import { inflate, inflatedBytes, messageTooLarge } from './compression.ts';
import { compressedFlag, type Frame, FrameReader, framePrefixBytes, payloadOfOnly } from './frame.ts';
import { RequestQueue } from './request-queue.ts';

/** The call that a request belongs to. */
export interface RequestOwner extends Ending {
  /** The messages of the request, and their bytes as they came, without frames. */
  receivedMessages: number;
  receivedBytes: number;
  /** Counts memory. @throws MEMORY_EXHAUSTED */
  hold(bytes: number): void;
  release(bytes: number): void;
  /** Counts memory of work that goes on when the call is gone. Returns what gives it back. @throws MEMORY_EXHAUSTED */
  holdApart(bytes: number): () => void;
  /** How much of the request the client may send ahead, if that is not `streamWindowBytes`. */
  readonly windowBytes: number | undefined;
  /** Stops and resumes the client's sending. */
  pause(): void;
  resume(): void;
}

/** What zlib takes to inflate: its window and buffers, and what it has made, in parts and in one piece. */
const inflateBytes = 64 * 1024;
const inflateCopies = 2;

/** Larger messages are read in turns of the event loop. */
const smallBytes = 4 * 1024;

/**
 * Reads the request of a call: one message or a stream of them, as the method takes it. It counts what comes before it
 * makes anything of it: the bytes, the size that they say they inflate to, and the objects that they would become.
 */
export class RequestBody {
  readonly #call: RequestOwner;
  readonly #wire: Wire;
  readonly #method: Method;
  readonly #policy: CallPolicy;
  readonly #codec: Codec;
  #only: Frame | undefined;
  #queue: RequestQueue | undefined;
  #frames: FrameReader | undefined;
  #whole: ByteBuffer | undefined;
  /** What the method's current message holds: given back when it asks for the next. */
  #messageBytes = 0;

  constructor(call: RequestOwner, wire: Wire, method: Method, policy: CallPolicy) {
    this.#call = call;
    this.#wire = wire;
    this.#method = method;
    this.#policy = policy;
    this.#codec = method.input(wire.isBinary);
  }

  /** The messages as they come, for a method that takes a stream. Too many unread ones pause the flow. */
  messages(): RequestQueue {
    const { maxQueuedMessages, streamWindowBytes } = this.#policy.limits;
    // What the client sends ahead of a pause waits in the connection: a window at most, which does not grow meanwhile.
    let aheadBytes = 0;
    const flow = {
      pause: () => {
        aheadBytes = this.#call.windowBytes ?? streamWindowBytes;
        this.#call.hold(aheadBytes);
        this.#call.pause();
      },
      resume: () => {
        this.#call.release(aheadBytes);
        this.#call.resume();
      },
      release: (bytes: number) => this.#call.release(bytes),
    };
    this.#queue = new RequestQueue((frame) => this.#decodeNext(frame), flow, maxQueuedMessages);
    return this.#queue;
  }

  /** Takes bytes as they arrive. @throws for what can't be part of a request */
  push(chunk: Buffer): void {
    this.#call.hold(chunk.length);
    const { maxRequestBytes } = this.#method;
    if (!this.#wire.isFramed) return this.#pushWhole(chunk, maxRequestBytes);
    if (this.#frames === undefined && this.#queue === undefined && this.#only === undefined) {
      const payload = payloadOfOnly(chunk, maxRequestBytes);
      if (payload !== undefined) return this.#onFrame({ flags: chunk[0] ?? 0, payload });
    }
    this.#frames ??= new FrameReader(maxRequestBytes, (flags, payload) => this.#onFrame({ flags, payload }));
    this.#frames.push(chunk);
  }

  /** The request is complete. Returns the message of a method that takes one. @throws if it is not a whole request */
  end(): Message | Promise<Message> | undefined {
    const error = this.#frames?.isPartial ? rpcError('TRUNCATED_MESSAGE') : undefined;
    if (this.#queue !== undefined) {
      // Whoever reads gets the whole messages before the error.
      this.#queue.end(error);
      return undefined;
    }
    if (error !== undefined) throw error;
    const { isFramed, urlMessage, compressions } = this.#wire;
    if (!isFramed) {
      const payload = urlMessage ?? this.#whole?.bytes ?? new Uint8Array();
      const { maxRequestBytes } = this.#method;
      if (payload.length > maxRequestBytes) throw messageTooLarge(payload.length, maxRequestBytes);
      this.#onFrame({ flags: compressions.request ? compressedFlag : 0, payload });
    }
    if (this.#only === undefined) throw rpcError('MISSING_MESSAGE');
    return this.#decode(this.#only);
  }

  /** The call is over: who reads on gets the error, and what still comes is dropped. */
  stop(error: Error | undefined): void {
    if (error !== undefined) this.#queue?.end(error);
    this.#queue?.discard();
  }

  #pushWhole(chunk: Buffer, maxBytes: number): void {
    this.#whole ??= new ByteBuffer();
    const bytes = this.#whole.length + chunk.length;
    if (bytes > maxBytes) throw messageTooLarge(bytes, maxBytes);
    this.#whole.append(chunk);
  }

  #onFrame(frame: Frame): void {
    this.#call.receivedMessages += 1;
    this.#call.receivedBytes += frame.payload.length;
    if (this.#queue !== undefined) return this.#queue.push(frame);
    if (this.#only !== undefined) throw rpcError('EXTRA_MESSAGE');
    this.#only = frame;
  }

  async #decodeNext(frame: Frame): Promise<Message> {
    this.#call.release(this.#messageBytes);
    this.#messageBytes = 0;
    const message = await this.#decode(frame);
    this.#messageBytes += framePrefixBytes + frame.payload.length;
    return message;
  }

  #decode({ flags, payload }: Frame): Message | Promise<Message> {
    if (flags !== compressedFlag) return this.#parse(payload);
    if (!this.#wire.compressions.request) throw unexpectedCompression();
    // Nothing, compressed, is nothing: some clients send it so.
    return payload.length === 0 ? this.#parse(payload) : this.#inflate(payload);
  }

  async #inflate(payload: Uint8Array): Promise<Message> {
    const bytes = inflatedBytes(payload, this.#method.maxRequestBytes, this.#policy.limits);
    // Nothing stops zlib once it has begun, so what it makes is counted until it is done.
    const release = this.#call.holdApart(inflateBytes + inflateCopies * bytes);
    try {
      const inflated = await inflate(payload, bytes);
      if (this.#call.isOver) throw canceled();
      return await this.#parse(inflated);
    } finally {
      release();
    }
  }

  #parse(bytes: Uint8Array): Message | Promise<Message> {
    if (bytes.length > smallBytes) return this.#parseInTurns(bytes);
    this.#hold(this.#codec.measure(bytes, this.#method));
    return this.#codec.parse(bytes);
  }

  async #parseInTurns(bytes: Uint8Array): Promise<Message> {
    const { turns } = this.#policy;
    if (turns.isOver) await turns.next();
    if (this.#call.isOver) throw canceled();
    this.#hold(await this.#codec.measureInTurns(bytes, this.#method, turns, this.#call));
    return this.#codec.parseInTurns(bytes, turns, this.#call);
  }

  #hold(heapBytes: number): void {
    this.#call.hold(heapBytes);
    this.#messageBytes += heapBytes;
  }
}
