import type { Item } from './dynamodb-items.ts';

/** No item that was asked for is there. */
export const nothing: ReadonlyMap<string, Item> = new Map();

/** No keys: a list that nobody adds to. */
const none: string[] = [];

/** What one call reads. Many wait at once, and collections of young objects copy what each has made: it is little. */
export class Read {
  readonly promise: Promise<ReadonlyMap<string, Item>>;
  readonly signal: AbortSignal;
  /** Keys that are neither answered nor given up. */
  unanswered: number;
  /** Those of them that wait for a batch. */
  waiting: string[] = none;
  /** Batches, one after the other, in which DynamoDB has left out all that was read for it. */
  tries = 0;
  /** Pauses of keys that were left out, before they wait for a batch again. */
  pauses: Set<NodeJS.Timeout> | undefined;
  #found: Map<string, Item> | undefined;
  readonly #resolve: (found: ReadonlyMap<string, Item>) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #aborted: () => void;

  /** @param leave is called once the signal is aborted */
  constructor(keys: number, signal: AbortSignal, leave: (read: Read) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, Item>>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#aborted = () => leave(this);
    this.unanswered = keys;
    this.signal = signal;
    signal.addEventListener('abort', this.#aborted);
  }

  /** Takes so many of its keys, or all there are, out of those that wait. */
  next(most: number): string[] {
    const keys = this.waiting;
    if (keys.length > most) return keys.splice(0, most);
    this.waiting = none;
    return keys;
  }

  /** Takes what was found of some of its keys. @param isOfOne whether it is all that was found */
  take(keys: readonly string[], items: Map<string, Item>, isOfOne: boolean): void {
    if (isOfOne && this.#found === undefined) {
      this.#found = items;
      return;
    }
    for (const key of keys) {
      const item = items.get(key);
      if (item === undefined) continue;
      this.#found ??= new Map();
      this.#found.set(key, item);
    }
  }

  /** All its keys are answered. */
  end(): void {
    this.signal.removeEventListener('abort', this.#aborted);
    this.#resolve(this.#found ?? nothing);
  }

  /** Nobody waits for it any more. */
  fail(error: unknown): void {
    this.signal.removeEventListener('abort', this.#aborted);
    this.#reject(error);
    for (const pause of this.pauses ?? []) clearTimeout(pause);
  }
}
