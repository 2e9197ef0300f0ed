const partsKey = Symbol('parts');

/**
 * A stream of messages of which several are ready at a time, for a streaming method to return: between those of a part
 * nothing waits, where each message of an async generator costs three turns of the queue of promises. Whoever reads the
 * stream otherwise, such as an interceptor, gets the messages one by one.
 *
 * @param parts read once. What it throws, and what reading a part throws, ends the stream
 */
export function inParts<T>(parts: AsyncIterable<Iterable<T>>): AsyncIterable<T> {
  return new Parts(parts);
}

/** The parts of a stream that `inParts` has made; `undefined` for all others. */
export function partsOf<T>(stream: AsyncIterable<T>): AsyncIterable<Iterable<T>> | undefined {
  return stream instanceof Parts ? stream[partsKey] : undefined;
}

class Parts<T> implements AsyncIterable<T> {
  readonly [partsKey]: AsyncIterable<Iterable<T>>;

  constructor(parts: AsyncIterable<Iterable<T>>) {
    this[partsKey] = parts;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const part of this[partsKey]) yield* part;
  }
}
