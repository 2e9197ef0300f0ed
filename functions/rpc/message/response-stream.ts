import { create, type DescMessage, type Message } from '@bufbuild/protobuf';
import type { Turns } from '../call/turns.ts';
import type { MessageEncoder } from './message-encoder.ts';
import { partsOf } from './parts.ts';
import { ResponseBatch, type SentCount } from './response-batch.ts';

/** Where the responses of a streaming method go. */
export interface ResponseSink extends SentCount {
  /** Whether the call has ended, by a deadline for example. */
  readonly isOver: boolean;
  /** Sends messages. False: `wake` will say when there is room for more. */
  send(frames: Buffer): boolean;
  /** Sends the last messages, and OK. */
  finish(frames: Buffer | undefined): void;
  /** Sends the status for what was thrown. */
  fail(thrown: unknown): void;
}

/** What streams have in common. */
export interface StreamPolicy {
  readonly turns: Turns;
  /** @see RpcServerOptions.keepsMessages */
  readonly keepsMessages: boolean;
  readonly limits: { readonly maxQueuedBytes: number };
}

/** After this many messages, the stream asks whether its turn of the event loop is over. */
const sliceMessages = 64;

/** Sends what a streaming method yields, as fast as the client reads, and in turns with everybody else. */
export class ResponseStream {
  readonly #sink: ResponseSink;
  readonly #type: DescMessage;
  readonly #turns: Turns;
  readonly #batch: ResponseBatch;
  #messages = 0;
  #isFlushDue = false;
  #mustWait = false;
  #wake: (() => void) | undefined;

  constructor(sink: ResponseSink, type: DescMessage, encoder: MessageEncoder, policy: StreamPolicy) {
    this.#sink = sink;
    this.#type = type;
    this.#turns = policy.turns;
    const keptType = policy.keepsMessages ? type : undefined;
    this.#batch = new ResponseBatch(encoder, keptType, policy.limits.maxQueuedBytes, sink);
  }

  /** There is room again, or the call is over. */
  wake(): void {
    // Now, not in `#room`: there may be room before the method has yielded what would wait for it.
    this.#mustWait = false;
    this.#wake?.();
  }

  /** Runs the method to its end, or until the call is over. Never rejects. */
  async run(output: AsyncIterable<Message> | Promise<AsyncIterable<Message>>): Promise<void> {
    try {
      const messages = await output;
      const parts = partsOf(messages);
      // Leaving a loop calls return(), which ends the method's generator.
      if (parts === undefined) {
        for await (const message of messages) {
          if (this.#sink.isOver) return;
          const pause = this.#add(message);
          if (pause !== undefined) await pause;
          if (this.#sink.isOver) return;
        }
      } else {
        for await (const part of parts) {
          for (const message of part) {
            if (this.#sink.isOver) return;
            const pause = this.#add(message);
            if (pause !== undefined) await pause;
          }
          if (this.#sink.isOver) return;
        }
      }
      this.#sink.finish(this.#sink.isOver ? undefined : this.#batch.take());
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** Returns a promise if the next message has to wait. */
  #add(message: Message): Promise<void> | undefined {
    const added = this.#batch.add(create(this.#type, message));
    return added === undefined ? this.#added() : added.then(() => this.#added());
  }

  #added(): Promise<void> | undefined {
    this.#messages += 1;
    if (this.#batch.isFull) this.#send();
    else if (!this.#isFlushDue) {
      // Runs when the promises that are ready have run: messages that are ready together leave together.
      this.#isFlushDue = true;
      process.nextTick(flush, this);
    }
    if (this.#mustWait) return this.#room();
    return this.#messages % sliceMessages === 0 && this.#turns.isOver ? this.#turns.next() : undefined;
  }

  /** Sends what is ready, unless that has happened in the meantime. */
  flush(): void {
    this.#isFlushDue = false;
    try {
      this.#send();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #send(): void {
    const frames = this.#sink.isOver ? undefined : this.#batch.take();
    if (frames !== undefined) this.#mustWait = !this.#sink.send(frames);
  }

  #fail(thrown: unknown): void {
    try {
      // What came before the error reaches the client.
      this.#send();
    } finally {
      this.#sink.fail(thrown);
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function flush(stream: ResponseStream): void {
  stream.flush();
}
