const prefixBytes = 5;
/** Field 1 of GetUsersResult and of CreateUserResult: a user. Field 2 would be a name that nobody has. */
const userTag = 0x0a;

/** Counts the users in the messages of one call, whose bytes come in pieces of any size. */
export class MessageCounter {
  #users = 0;
  /** What is still to come of the message. */
  #left = 0;
  /** Bytes of the next prefix that have come, and the length in them. */
  #prefix = 0;
  #length = 0;
  #isFirst = false;

  /** Messages with a user that have come to their end. */
  get users(): number {
    return this.#users;
  }

  /** @throws Error at a message that is compressed, or has no user */
  take(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; ) {
      if (this.#left === 0) {
        const byte = bytes[at] ?? 0;
        if (this.#prefix === 0 && byte !== 0) throw new Error(`a message with the flags ${byte}`);
        this.#length = this.#prefix === 0 ? 0 : this.#length * 256 + byte;
        this.#prefix += 1;
        at += 1;
        if (this.#prefix < prefixBytes) continue;
        this.#prefix = 0;
        this.#left = this.#length;
        this.#isFirst = true;
        if (this.#left === 0) throw new Error('an empty message');
        continue;
      }
      if (this.#isFirst && bytes[at] !== userTag) throw new Error('an answer without its user');
      this.#isFirst = false;
      const taken = Math.min(this.#left, to - at);
      this.#left -= taken;
      at += taken;
      if (this.#left === 0) this.#users += 1;
    }
  }
}
