/** The room at first. */
const smallBytes = 1024;

/** Keeps bytes that come in portions in one piece: a client that sends byte by byte must not make a buffer of each. */
export class ByteBuffer {
  #buffer: Buffer = Buffer.alloc(0);
  #usedBytes = 0;

  /** How many bytes there are. */
  get length(): number {
    return this.#usedBytes;
  }

  /** The bytes, until the next is added. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#usedBytes);
  }

  /** Adds a copy. */
  append(chunk: Uint8Array): void {
    this.reserve(chunk.length).set(chunk, this.#usedBytes - chunk.length);
  }

  /** Adds room for bytes, at the end of the returned buffer. The caller writes them. */
  reserve(bytes: number): Buffer {
    const end = this.#usedBytes + bytes;
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, 2 * this.#usedBytes, smallBytes));
      this.#buffer.copy(grown, 0, 0, this.#usedBytes);
      this.#buffer = grown;
    }
    this.#usedBytes = end;
    return this.#buffer;
  }

  /** Gives away the bytes. The next ones use what is left of the room. */
  take(): Buffer {
    const taken = this.bytes;
    this.#buffer = this.#buffer.subarray(this.#usedBytes);
    this.#usedBytes = 0;
    return taken;
  }
}
