import { Duplex } from 'node:stream';

/** A socket without a network: the client's side is `arrive`, `onWritten` and `stall`. */
export class MemorySocket extends Duplex {
  /** What has gone wrong with the socket itself, such as a write after its end. */
  readonly errors: Error[] = [];
  isEnded = false;
  readonly #onWritten: (bytes: Buffer) => void;
  #isStalled = false;
  #isInputEnded = false;
  #waiting: (() => void) | undefined;

  constructor(onWritten: (bytes: Buffer) => void) {
    super({ allowHalfOpen: false });
    this.#onWritten = onWritten;
    this.on('error', (error) => this.errors.push(error));
  }

  /** The client sends bytes. They are not copied: a reader may not change them. */
  arrive(bytes: Buffer): void {
    if (!this.destroyed && !this.#isInputEnded) this.push(bytes);
  }

  /** The client has ended its side. */
  endInput(): void {
    if (!this.destroyed && !this.#isInputEnded) this.push(null);
    this.#isInputEnded = true;
  }

  /** The client reads no more, or reads on. */
  stall(isStalled: boolean): void {
    this.#isStalled = isStalled;
    if (isStalled) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  destroySoon(): void {
    this.end(() => this.destroy());
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    // The engine takes its buffer back once the write is done: the client may read until then.
    const take = () => {
      this.#onWritten(Buffer.from(chunk));
      done();
    };
    if (this.#isStalled) this.#waiting = take;
    else take();
  }

  override _final(done: (error?: Error) => void): void {
    this.isEnded = true;
    done();
  }
}
