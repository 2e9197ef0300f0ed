/** A queue in which keys take turns; within a key, the first that came is the first that goes. */
export interface FairQueue<T> {
  /** Adds something that is not in the queue, under its key. */
  add(key: string, waiting: T): void;
  /**
   * Takes the next out of the queue: the oldest of the key whose turn it is, which then goes to the end of the line.
   */
  next(): T | undefined;
  /** Takes one out before its turn. Its key keeps its place. */
  remove(key: string, waiting: T): void;
  /** How many wait, of all keys. */
  size(): number;
  /** How many wait under a key. */
  sizeOf(key: string): number;
}

/**
 * Makes a queue in which a key with much work holds up nobody else: the first of another key waits for at most one of
 * each key (https://en.wikipedia.org/wiki/Fair_queuing). The queue has no bound, but keeps nothing of a key that has no
 * work.
 */
export function fairQueue<T>(): FairQueue<T> {
  // A map keeps the order in which keys were added, and that is the order of their turns.
  const lines = new Map<string, Set<T>>();
  let size = 0;

  return {
    add(key, waiting) {
      const line = lines.get(key);
      if (line) line.add(waiting);
      else lines.set(key, new Set([waiting]));
      size += 1;
    },
    next() {
      for (const [key, line] of lines) {
        lines.delete(key);
        for (const first of line) {
          line.delete(first);
          size -= 1;
          if (line.size > 0) lines.set(key, line);
          return first;
        }
      }
      return undefined;
    },
    remove(key, waiting) {
      const line = lines.get(key);
      if (!line?.delete(waiting)) return;
      size -= 1;
      if (line.size === 0) lines.delete(key);
    },
    size: () => size,
    sizeOf: (key) => lines.get(key)?.size ?? 0,
  };
}
