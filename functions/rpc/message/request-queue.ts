import type { Message } from '@bufbuild/protobuf';
import { type Frame, framePrefixBytes } from './frame.ts';

/** What a queue asks of its call. */
interface Flow {
  /** Stops and resumes the client's sending. */
  pause(): void;
  resume(): void;
  /** Gives back the memory of messages that nobody will read. */
  release(bytes: number): void;
}

/**
 * The stream of request messages that a handler reads: filled as they arrive, read as the handler
 * asks. When more wait than `maxQueued`, `pause` is called, and `resume` once they are read.
 */
export class RequestQueue implements AsyncIterable<Message>, AsyncIterator<Message> {
  readonly #decode: (frame: Frame) => Promise<Message> | Message;
  readonly #flow: Flow;
  readonly #maxQueued: number;
  readonly #queue: Frame[] = [];
  #isPaused = false;
  #end: { error?: unknown } | undefined;
  #arrival: PromiseWithResolvers<void> | undefined;

  constructor(decode: (frame: Frame) => Promise<Message> | Message, flow: Flow, maxQueued: number) {
    this.#decode = decode;
    this.#flow = flow;
    this.#maxQueued = maxQueued;
  }

  /** A message has arrived. */
  push(frame: Frame): void {
    if (this.#end !== undefined) return this.#drop(frame);
    this.#queue.push(frame);
    if (this.#queue.length >= this.#maxQueued && !this.#isPaused) {
      this.#flow.pause();
      this.#isPaused = true;
    }
    this.#wake();
  }

  /** No more will arrive. With an error, reading fails with it once what waits is read. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#wake();
  }

  #drop({ payload }: Frame): void {
    this.#flow.release(framePrefixBytes + payload.length);
  }

  #dropAll(): void {
    for (const frame of this.#queue.splice(0)) this.#drop(frame);
  }

  #wake(): void {
    this.#arrival?.resolve();
    this.#arrival = undefined;
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    while (this.#queue.length === 0) {
      if (this.#end?.error !== undefined) throw this.#end.error;
      if (this.#end !== undefined) return { done: true, value: undefined };
      this.#arrival ??= Promise.withResolvers<void>();
      await this.#arrival.promise;
    }
    const frame = this.#queue.shift() as Frame; // not empty: the loop above has seen to it
    if (this.#isPaused && this.#queue.length < this.#maxQueued / 2) {
      this.#isPaused = false;
      this.#flow.resume();
    }
    return { done: false, value: await this.#decode(frame) };
  }

  /** The handler reads no further: what still comes is dropped. */
  async return(): Promise<IteratorResult<Message, undefined>> {
    this.discard();
    return { done: true, value: undefined };
  }

  /** Drops what waits and what still comes. It must be read all the same: a stream that is paused never closes. */
  discard(): void {
    this.end();
    this.#dropAll();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#flow.resume();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
