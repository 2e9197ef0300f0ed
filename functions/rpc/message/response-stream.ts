import type { Message } from '@bufbuild/protobuf';
import { type ResponseFormat, Responses } from './response-batch.ts';

/** Where the responses of a streaming method go. */
export interface ResponseSink {
  /** Whether the call has ended, by a deadline for example. */
  readonly isOver: boolean;
  /** Sends messages. False: `wake` will say when there is room for more. */
  send(frames: Buffer): boolean;
  /** Sends the last messages, and OK. */
  succeed(frames: Buffer | undefined): void;
  /** Sends the status for what was thrown. */
  fail(thrown: unknown): void;
}

/** Sends what a streaming method yields, as fast as the client reads. */
export class ResponseStream {
  readonly #sink: ResponseSink;
  readonly #responses: Responses;
  #isFlushDue = false;
  #mustWait = false;
  #wake: (() => void) | undefined;

  constructor(sink: ResponseSink, format: ResponseFormat) {
    this.#sink = sink;
    this.#responses = new Responses(format);
  }

  /** There is room again, or the call is over. */
  wake(): void {
    this.#wake?.();
  }

  /** Runs the method to its end, or until the call is over. Never rejects. */
  async run(output: AsyncIterable<Message> | Promise<AsyncIterable<Message>>): Promise<void> {
    try {
      // Leaving this loop calls return(), which ends the method's generator.
      for await (const message of await output) {
        if (this.#sink.isOver) return;
        const added = this.#responses.add(message);
        if (added !== undefined) await added;
        if (this.#responses.isFull) this.#send();
        else if (!this.#isFlushDue) {
          // Runs when the promises that are ready have run: messages that are ready together leave together.
          this.#isFlushDue = true;
          process.nextTick(flush, this);
        }
        if (this.#mustWait) await this.#room();
        if (this.#sink.isOver) return;
      }
      this.#sink.succeed(this.#responses.take());
    } catch (thrown) {
      this.#fail(thrown);
    }
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
    const frames = this.#sink.isOver ? undefined : this.#responses.take();
    if (frames !== undefined) this.#mustWait = !this.#sink.send(frames);
  }

  #fail(thrown: unknown): void {
    // What came before the error reaches the client.
    this.#send();
    this.#sink.fail(thrown);
  }

  async #room(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#mustWait = false;
  }
}

function flush(stream: ResponseStream): void {
  stream.flush();
}
