import { Buffer } from 'node:buffer';
import { Capacity, type PartitionLimits } from './capacity.ts';
import type { Item } from './expression.ts';

/** The key of a table: all tables of the double have one of a string. */
export const keyName = 'pk';

/** An index: the attributes of its keys. */
export interface IndexShape {
  readonly name: string;
  readonly hash: string;
  readonly range: string;
}

interface Stored {
  readonly item: Item;
  readonly bytes: number;
}

/** The part of an index with one hash key. Its order is made when it is asked for. */
interface Collection {
  readonly keys: Set<string>;
  sorted: readonly string[] | undefined;
}

/** A table in memory, with one index at most that is never behind. */
export class Table {
  readonly name: string;
  readonly index: IndexShape | undefined;
  readonly #items = new Map<string, Stored>();
  readonly #collections = new Map<string, Collection>();
  capacity: Capacity;
  /** The index has partitions of its own: what its hash key has in common is in one. */
  indexCapacity: Capacity;
  readonly #nowMs: () => number;

  constructor(name: string, index: IndexShape | undefined, limits: PartitionLimits, nowMs: () => number) {
    this.name = name;
    this.index = index;
    this.#nowMs = nowMs;
    this.capacity = new Capacity(limits, nowMs);
    this.indexCapacity = new Capacity(limits, nowMs);
  }

  limit(limits: PartitionLimits): void {
    this.capacity = new Capacity(limits, this.#nowMs);
    this.indexCapacity = new Capacity(limits, this.#nowMs);
  }

  get size(): number {
    return this.#items.size;
  }

  get(key: string): Item | undefined {
    return this.#items.get(key)?.item;
  }

  /** Units of a read: an item that is not there takes as many as a small one. */
  readUnits(key: string, isConsistent: boolean): number {
    const units = Math.max(1, Math.ceil((this.#items.get(key)?.bytes ?? 0) / 4096));
    return isConsistent ? units : units / 2;
  }

  put(item: Item): void {
    const key = keyOf(item);
    const before = this.#items.get(key)?.item;
    this.#items.set(key, { item, bytes: bytesOf(item) });
    this.#move(key, before, item);
  }

  delete(key: string): void {
    const before = this.#items.get(key)?.item;
    if (before === undefined) return;
    this.#items.delete(key);
    this.#move(key, before, undefined);
  }

  /** The hash keys under which a change of an item is written to the index; none if it shows nothing of it. */
  indexWrites(before: Item | undefined, after: Item | undefined): readonly string[] {
    const [from, to] = [this.#hashOf(before), this.#hashOf(after)];
    if (from === to) return from === undefined || same(before, after) ? [] : [from];
    return [from, to].filter((it) => it !== undefined);
  }

  /** Keys of the index with one hash key, in order. */
  collection(hash: string): readonly string[] {
    const collection = this.#collections.get(hash);
    if (collection === undefined) return [];
    collection.sorted ??= [...collection.keys].sort();
    return collection.sorted;
  }

  /** All keys, in the order in which they came. */
  keys(): IterableIterator<string> {
    return this.#items.keys();
  }

  #hashOf(item: Item | undefined): string | undefined {
    return this.index && item?.[this.index.hash]?.S;
  }

  #move(key: string, before: Item | undefined, after: Item | undefined): void {
    const [from, to] = [this.#hashOf(before), this.#hashOf(after)];
    if (from === to) return;
    const left = from === undefined ? undefined : this.#collections.get(from);
    if (left) {
      left.keys.delete(key);
      left.sorted = undefined;
    }
    if (to === undefined) return;
    const entered = this.#collections.get(to) ?? { keys: new Set(), sorted: undefined };
    entered.keys.add(key);
    entered.sorted = undefined;
    this.#collections.set(to, entered);
  }
}

/** The key of an item; empty where there is none, which no item has. */
export const keyOf = (item: Item | undefined): string => item?.[keyName]?.S ?? '';

/** Units of a write, of each KB begun. */
export const writeUnits = (item: Item | undefined): number =>
  Math.max(1, Math.ceil((item ? bytesOf(item) : 0) / 1024));

/** As DynamoDB counts it, for strings and numbers: the bytes of names and values. */
function bytesOf(item: Item): number {
  let bytes = 0;
  for (const [name, { S, N }] of Object.entries(item)) {
    bytes += name.length + (S === undefined ? (N?.length ?? 0) / 2 + 1 : Buffer.byteLength(S));
  }
  return bytes;
}

function same(before: Item | undefined, after: Item | undefined): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}
