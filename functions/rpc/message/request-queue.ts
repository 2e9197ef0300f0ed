import type { Message } from '@bufbuild/protobuf';
import type { Frame } from './frame.ts';

/**
 * The stream of request messages that a handler reads: filled as they arrive, read as the handler
 * asks. When more wait than `maxQueued`, `pause` is called, and `resume` once they are read.
 */
export class RequestQueue implements AsyncIterable<Message>, AsyncIterator<Message> {
  readonly #decode: (frame: Frame) => Promise<Message> | Message;
  readonly #flow: { pause(): void; resume(): void };
  readonly #maxQueued: number;
  readonly #queue: Frame[] = [];
  #isPaused = false;
  #end: { error?: unknown } | undefined;
  #arrival: PromiseWithResolvers<void> | undefined;

  constructor(
    decode: (frame: Frame) => Promise<Message> | Message,
    flow: { pause(): void; resume(): void },
    maxQueued: number,
  ) {
    this.#decode = decode;
    this.#flow = flow;
    this.#maxQueued = maxQueued;
  }

  /** A message has arrived. */
  push(frame: Frame): void {
    if (this.#end !== undefined) return;
    this.#queue.push(frame);
    if (this.#queue.length >= this.#maxQueued && !this.#isPaused) {
      this.#flow.pause();
      this.#isPaused = true;
    }
    this.#wake();
  }

  /** No more will arrive. With an error, reading fails with it at once. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (error !== undefined) this.#queue.length = 0;
    this.#wake();
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
    this.#queue.length = 0;
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#flow.resume();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
