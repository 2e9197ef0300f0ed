import { ConnectionFault, errorCode, maxUint31 } from './frame.ts';
import type { Http2Stream } from './http2-stream.ts';

/** Streams that leave a map until it is made anew: so many, or twice those that are open, that it costs little. */
const leastUses = 16;
/** Streams that are over, and whose calls have not heard of it: one read of resets has some 2,000. */
const maxUntold = 256;

/** The streams of a connection that are open, by their ids. */
export class OpenStreams {
  #byId = new Map<number, Http2Stream>();
  /** How many streams have left the map since it was made. */
  #left = 0;
  readonly #onTold: () => void;
  /** Streams that are over, whose calls hear of it at the end of the turn. */
  #over: Http2Stream[] = [];

  /** @param onTold calls have heard that their streams are over */
  constructor(onTold: () => void) {
    this.#onTold = onTold;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Whether so many calls have not heard yet that their streams are over that no more should be read. */
  get isCrowded(): boolean {
    return this.#over.length > maxUntold;
  }

  get(streamId: number): Http2Stream | undefined {
    return this.#byId.get(streamId);
  }

  all(): Iterable<Http2Stream> {
    return this.#byId.values();
  }

  add(stream: Http2Stream): void {
    this.#byId.set(stream.id, stream);
  }

  /** A stream is over. Its call hears of it in a turn of its own. */
  remove(stream: Http2Stream): void {
    this.#byId.delete(stream.id);
    if (this.#over.push(stream) === 1) setImmediate(() => this.#tellOver());
  }

  /**
   * The client takes more or less of each response. That holds for streams that are open too, and a window may become
   * negative (RFC 9113 section 6.9.2).
   *
   * @throws ConnectionFault if a window becomes too large
   */
  openSendWindows(bytes: number): void {
    for (const stream of this.#byId.values()) {
      stream.sendWindow += bytes;
      if (stream.sendWindow > maxUint31) {
        throw new ConnectionFault(errorCode.flowControlError, 'a window is too large');
      }
    }
  }

  /** The connection is gone. */
  loseAll(): void {
    for (const stream of this.#byId.values()) stream.close();
  }

  #tellOver(): void {
    const over = this.#over;
    this.#over = [];
    this.#left += over.length;
    if (this.#left > leastUses + 2 * this.#byId.size) this.#renew();
    for (const stream of over) stream.tellClosed();
    this.#onTold();
  }

  /**
   * V8 gives a Map a new table from time to time, and links the one before to it (`SetNextTable` in its
   * objects/ordered-hash-table.cc). Once such a table is old, as after a quiet time, each collection of young objects
   * keeps all later ones, and what was in them: streams that are over, with their calls.
   */
  #renew(): void {
    this.#byId = new Map(this.#byId);
    this.#left = 0;
  }
}
