import type { Limits } from '../../limits.ts';
import { StoreError, type StoreEvents } from '../store.ts';
import { backoffMs } from './backoff.ts';
import type { BatchAnswer } from './dynamodb-batch.ts';
import { system } from './dynamodb-client.ts';
import { type Item, isKey } from './dynamodb-items.ts';
import { nothing, Read } from './dynamodb-read.ts';
import { type DynamoTable, maxBatchKeys } from './dynamodb-table.ts';

/** What reads are made with. */
export interface ReadLineOptions {
  readonly table: Pick<DynamoTable, 'batchGet'>;
  readonly limits: Pick<
    Limits,
    'dynamoMaxConcurrentReads' | 'dynamoMaxReadWaitMs' | 'dynamoMaxSockets' | 'dynamoMaxTries'
  >;
  readonly events: StoreEvents;
}

/** A BatchGetItem, and what it reads for whom. */
interface Batch {
  readonly keys: Set<string>;
  readonly parts: Map<Read, Part>;
  readonly controller: AbortController;
}

/** Some keys of a read, after so many tries of its. */
interface Part {
  readonly keys: string[];
  readonly tries: number;
}

/**
 * The reads of the same attributes. While few batches are under way, all that one turn of the event loop brings is sent
 * at its end: nobody waits for company. Else it waits until one of them has ended, or a batch is full, or some time has
 * passed. Nobody joins a batch that was sent: DynamoDB may have read it before a write that the newcomer has to see.
 */
export class ReadLine {
  readonly #attributes: string;
  readonly #options: ReadLineOptions;
  /** Reads with keys that wait, in the order of their turns. */
  #queue = new Set<Read>();
  /** How many have left the queue since it was made. */
  #left = 0;
  #waitingKeys = 0;
  readonly #underWay: Batch[] = [];
  #sendsAtEndOfTurn = false;
  #longestWait: NodeJS.Timeout | undefined;
  readonly #leave = (read: Read) => this.#fail(read, read.signal.reason);

  constructor(attributes: string, options: ReadLineOptions) {
    this.#attributes = attributes;
    this.#options = options;
  }

  read(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Item>> {
    if (signal.aborted) return Promise.reject(signal.reason);
    // A key that DynamoDB refuses would fail the batch, and others with it.
    const different = keys.length > 1 ? [...new Set(keys)] : keys;
    const valid = different.filter(isKey);
    if (valid.length === 0) return Promise.resolve(nothing);
    const read = new Read(valid.length, signal, this.#leave);
    this.#enqueue(read, valid);
    return read.promise;
  }

  /** @param keys become the read's own */
  #enqueue(read: Read, keys: string[]): void {
    if (read.waiting.length === 0) read.waiting = keys;
    else for (const key of keys) read.waiting.push(key);
    this.#queue.add(read);
    this.#waitingKeys += keys.length;
    this.#sendSoon();
  }

  #sendSoon(): void {
    if (this.#sendsAtEndOfTurn) return;
    this.#sendsAtEndOfTurn = true;
    setImmediate(() => {
      this.#sendsAtEndOfTurn = false;
      const hasFew = this.#underWay.length < this.#options.limits.dynamoMaxConcurrentReads;
      if (hasFew || this.#waitingKeys >= maxBatchKeys) this.#send();
      this.#boundWait();
    });
  }

  /** Slow batches hold up what waits for so long only, if there is a socket left. */
  #boundWait(): void {
    if (this.#queue.size === 0) {
      clearTimeout(this.#longestWait);
      this.#longestWait = undefined;
    } else if (this.#underWay.length < this.#options.limits.dynamoMaxSockets) {
      this.#longestWait ??= setTimeout(() => {
        this.#longestWait = undefined;
        this.#send();
      }, this.#options.limits.dynamoMaxReadWaitMs);
    }
  }

  /** Sends what waits, as far as there are sockets. */
  #send(): void {
    let sockets = this.#options.limits.dynamoMaxSockets - this.#underWay.length;
    // If not all of it can go, a large read gets no more of each batch than others.
    const canAllGo = this.#waitingKeys <= sockets * maxBatchKeys;
    const share = canAllGo ? maxBatchKeys : Math.max(1, Math.floor(maxBatchKeys / this.#queue.size));
    for (; sockets > 0 && this.#queue.size > 0; sockets -= 1) this.#sendBatch(this.#nextBatch(share));
    this.#renewQueue();
  }

  /**
   * V8 gives a Set a new table from time to time, and links the one before to it (`SetNextTable` in its
   * objects/ordered-hash-table.cc). Once such a table is old, each collection of young objects keeps all later ones,
   * and what was in them: reads that have ended, with their calls.
   */
  #renewQueue(): void {
    if (this.#left <= maxBatchKeys + this.#queue.size) return;
    this.#queue = new Set(this.#queue);
    this.#left = 0;
  }

  /** Takes what fits into a batch out of the queue, at each turn of a read as many keys as its share. */
  #nextBatch(share: number): Batch {
    const batch: Batch = { keys: new Set(), parts: new Map(), controller: new AbortController() };
    for (const read of this.#queue) {
      const room = maxBatchKeys - batch.keys.size;
      if (room === 0) break;
      const keys = read.next(Math.min(share, room));
      this.#waitingKeys -= keys.length;
      for (const key of keys) batch.keys.add(key);
      const part = batch.parts.get(read);
      if (part === undefined) batch.parts.set(read, { keys, tries: read.tries });
      else part.keys.push(...keys);
      this.#queue.delete(read);
      this.#left += 1;
      // Its next turn comes behind the others, in this loop if there is room.
      if (read.waiting.length > 0) this.#queue.add(read);
    }
    return batch;
  }

  async #sendBatch(batch: Batch): Promise<void> {
    const { table, events } = this.#options;
    const calls = Array.from(batch.parts.keys(), ({ signal }) => signal);
    this.#underWay.push(batch);
    try {
      events.readFor(system, batch.keys.size, calls);
      const answer = await table.batchGet([...batch.keys], this.#attributes, batch.controller.signal);
      this.#underWay.splice(this.#underWay.indexOf(batch), 1);
      this.#deliver(batch, answer, calls.length === 1);
    } catch (error) {
      this.#underWay.splice(this.#underWay.indexOf(batch), 1);
      for (const read of batch.parts.keys()) this.#fail(read, error);
    }
    this.#sendSoon();
  }

  /** @param isOfOne whether the batch was sent for one read alone */
  #deliver(batch: Batch, { items, unprocessed }: BatchAnswer, isOfOne: boolean): void {
    const leftOut = new Set(unprocessed);
    // Those who were left out together come again together, so that a busy key is asked for once.
    const chance = Math.random();
    let isSentAgain = false;
    for (const [read, part] of batch.parts) {
      read.take(part.keys, items, isOfOne);
      const again = leftOut.size === 0 ? [] : part.keys.filter((key) => leftOut.has(key));
      read.unanswered -= part.keys.length - again.length;
      // If it goes forward, tries begin anew: only standing still counts.
      read.tries = again.length < part.keys.length ? 0 : Math.max(read.tries, part.tries + 1);
      if (read.unanswered === 0) read.end();
      else if (read.tries >= this.#options.limits.dynamoMaxTries)
        this.#fail(read, tooBusy(again.length, read.tries));
      else if (again.length > 0) {
        isSentAgain = true;
        this.#readAgain(read, again, chance);
      }
    }
    if (leftOut.size > 0) this.#options.events.throttled(system);
    if (isSentAgain) this.#options.events.retried(system);
  }

  #readAgain(read: Read, keys: string[], chance: number): void {
    const pause = setTimeout(
      () => {
        read.pauses?.delete(pause);
        this.#enqueue(read, keys);
      },
      backoffMs(Math.max(1, read.tries), chance),
    );
    read.pauses ??= new Set();
    read.pauses.add(pause);
  }

  /** Ends a read, and whatever goes on for it alone. */
  #fail(read: Read, error: unknown): void {
    read.fail(error);
    if (this.#queue.delete(read)) this.#waitingKeys -= read.waiting.length;
    this.#boundWait();
    for (const batch of this.#underWay) {
      if (batch.parts.delete(read) && batch.parts.size === 0) batch.controller.abort();
    }
  }
}

function tooBusy(keys: number, tries: number): StoreError {
  return new StoreError(`DynamoDB left out ${keys} keys ${tries} times`, {
    retrySafe: true,
    isOverload: true,
  });
}
