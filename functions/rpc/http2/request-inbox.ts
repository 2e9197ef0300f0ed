import type { Receiver } from '../http/exchange.ts';

/** What an inbox needs of its stream. */
export interface InboxOwner {
  /** Whether the stream is over. */
  readonly isGone: boolean;
  /** Bytes of the request were read. */
  taken(bytes: number): void;
  /** The end of the request was read. */
  takenAll(): void;
}

/** What has come in of a request that is not read now. */
const endOfRequest = Symbol('end');
/** Smaller parts of a request are copied and put together while they wait. */
const smallBytes = 4 * 1024;
const maxSmallHeld = 256;

/** The body of a request, from the connection to its receiver, who reads when it likes. */
export class RequestInbox {
  readonly #owner: InboxOwner;
  /** What the body must have in all, by its content-length, and has had so far. */
  readonly #contentBytes: number | undefined;
  #receivedBytes = 0;
  #receiver: Receiver | undefined;
  /** Whether the receiver reads no further. */
  isPaused = false;
  #isDelivering = false;
  /** What came while nobody read. */
  readonly #held: (Buffer | typeof endOfRequest)[] = [];
  /** How many small parts are at the end of it. */
  #smallHeld = 0;

  /** @param contentLength as the header says */
  constructor(owner: InboxOwner, contentLength: string | undefined) {
    this.#owner = owner;
    this.#contentBytes = contentLength === undefined ? undefined : Number(contentLength);
  }

  get receiver(): Receiver | undefined {
    return this.#receiver;
  }

  receive(receiver: Receiver): void {
    this.#receiver = receiver;
    this.deliver();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.deliver();
  }

  /**
   * Takes in a part of the body, which is not delivered yet.
   *
   * @returns whether the body is as long as its content-length says, as far as that can be known
   */
  put(bytes: Buffer, isLast: boolean): boolean {
    this.#receivedBytes += bytes.length;
    const expected = this.#contentBytes;
    if (
      expected !== undefined &&
      (this.#receivedBytes > expected || (isLast && this.#receivedBytes < expected))
    ) {
      return false;
    }
    if (bytes.length > 0) this.#hold(bytes, isLast);
    if (isLast) this.#held.push(endOfRequest);
    return true;
  }

  /** Hands on what has come, in order, whatever the receiver does meanwhile: it may pause and resume. */
  deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    while (this.#receiver !== undefined && !this.isPaused && !this.#owner.isGone) {
      const next = this.#held.shift();
      if (next === undefined) break;
      if (next === endOfRequest) {
        this.#receiver.receivedAll();
        this.#owner.takenAll();
      } else {
        this.#owner.taken(next.length);
        this.#receiver.received(next);
      }
    }
    this.#isDelivering = false;
  }

  /** Forgets what nobody will read. Returns how many bytes that was: the connection's window must open again. */
  release(): number {
    let bytes = 0;
    for (const it of this.#held) if (it !== endOfRequest) bytes += it.length;
    this.#held.length = 0;
    return bytes;
  }

  /** Keeps a part until it is read. What is small would take many times its size. */
  #hold(bytes: Buffer, isLast: boolean): void {
    const isSmall = bytes.length < smallBytes;
    // Its buffer holds all that came with it, which a request that goes on would keep.
    const waits = this.isPaused || !isLast;
    this.#held.push(
      isSmall && waits && bytes.length * 4 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes,
    );
    this.#smallHeld = isSmall && this.isPaused ? this.#smallHeld + 1 : 0;
    if (this.#smallHeld < maxSmallHeld) return;
    this.#smallHeld = 0;
    const parts = this.#held.splice(-maxSmallHeld).filter((it) => it !== endOfRequest);
    this.#held.push(Buffer.concat(parts));
  }
}
