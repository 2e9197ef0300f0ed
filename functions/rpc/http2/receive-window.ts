import { ConnectionFault, errorCode } from './frame.ts';

/** What the other side may still send, of a stream or of a connection (RFC 9113 section 5.2). */
export class ReceiveWindow {
  #bytes: number;
  /** How much may come; what was taken in, but not told yet, is not in it. */
  #left: number;
  #untold = 0;
  /** Bytes that were taken in since the path began to be measured, or was last measured. */
  takenOfTrip = 0;

  /** @param bytes how much may be on the way */
  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#left = bytes;
  }

  /** How much may be on the way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes have come. @throws ConnectionFault if they are more than may */
  receive(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0)
      throw new ConnectionFault(errorCode.flowControlError, 'more data than the window allows');
  }

  /**
   * Bytes were taken in: others may follow.
   *
   * @returns by how much to open the window now; zero: it is not worth a frame yet
   */
  take(bytes: number): number {
    this.takenOfTrip += bytes;
    this.#untold += bytes;
    if (this.#untold * 2 < this.#bytes) return 0;
    return this.#open();
  }

  /**
   * Lets so many bytes be on the way, if that is more than before.
   *
   * @returns by how much to open the window now
   */
  grow(bytes: number): number {
    if (bytes <= this.#bytes) return 0;
    this.#untold += bytes - this.#bytes;
    this.#bytes = bytes;
    return this.#open();
  }

  #open(): number {
    const opened = this.#untold;
    this.#left += opened;
    this.#untold = 0;
    return opened;
  }
}
