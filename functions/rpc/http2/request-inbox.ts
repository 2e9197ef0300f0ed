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
  /** What came while nobody read: most requests never wait. */
  #held: (Buffer | typeof endOfRequest)[] | undefined;
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

  /** Whether a part makes the body as long as its content-length says, as far as that can be known. */
  fits(bytes: Buffer, isLast: boolean): boolean {
    this.#receivedBytes += bytes.length;
    const expected = this.#contentBytes;
    if (expected === undefined) return true;
    return isLast ? this.#receivedBytes === expected : this.#receivedBytes <= expected;
  }

  /** Hands on a part of the body, or keeps it until it is read. */
  put(bytes: Buffer, isLast: boolean): void {
    if (bytes.length > 0) {
      const receiver = this.#readyReceiver;
      if (receiver === undefined) this.#hold(bytes, isLast);
      else this.#hand(receiver, isLast ? bytes : ownPart(bytes));
    }
    if (!isLast) return;
    const receiver = this.#readyReceiver;
    if (receiver !== undefined) return this.#hand(receiver, endOfRequest);
    this.#held ??= [];
    this.#held.push(endOfRequest);
  }

  /** Hands on what was kept, in order, whatever the receiver does meanwhile: it may pause and resume. */
  deliver(): void {
    while (this.#held !== undefined && !this.#isDelivering) {
      const receiver = this.#receiver;
      if (receiver === undefined || this.isPaused || this.#owner.isGone) return;
      const next = this.#held.shift();
      if (next === undefined) this.#held = undefined;
      else this.#hand(receiver, next);
    }
  }

  /** Forgets what nobody will read. Returns how many bytes that was: the connection's window must open again. */
  release(): number {
    let bytes = 0;
    for (const it of this.#held ?? []) if (it !== endOfRequest) bytes += it.length;
    this.#held = undefined;
    return bytes;
  }

  /** The receiver, if it reads now, and nothing is before what comes. */
  get #readyReceiver(): Receiver | undefined {
    const isReady = !this.isPaused && !this.#isDelivering && this.#held === undefined && !this.#owner.isGone;
    return isReady ? this.#receiver : undefined;
  }

  #hand(receiver: Receiver, part: Buffer | typeof endOfRequest): void {
    this.#isDelivering = true;
    if (part === endOfRequest) {
      receiver.receivedAll();
      this.#owner.takenAll();
    } else {
      this.#owner.taken(part.length);
      receiver.received(part);
    }
    this.#isDelivering = false;
  }

  /** Keeps a part until it is read. What is small would take many times its size. */
  #hold(bytes: Buffer, isLast: boolean): void {
    this.#held ??= [];
    this.#held.push(this.isPaused || !isLast ? ownPart(bytes) : bytes);
    this.#smallHeld = bytes.length < smallBytes && this.isPaused ? this.#smallHeld + 1 : 0;
    if (this.#smallHeld >= maxSmallHeld) {
      this.#smallHeld = 0;
      const parts = this.#held.splice(-maxSmallHeld).filter((it) => it !== endOfRequest);
      this.#held.push(Buffer.concat(parts));
    }
    this.#receiver?.kept?.(bytes.length);
  }
}

/**
 * A part alone, if it is little of its buffer: that holds all that came with it, which a request that goes on would
 * keep.
 */
function ownPart(bytes: Buffer): Buffer {
  if (bytes.length * 4 >= bytes.buffer.byteLength) return bytes;
  // Not in Node's pool, which others' bytes would keep.
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}
