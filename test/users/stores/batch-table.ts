import { limits } from '../../../functions/limits.ts';
import type { BatchAnswer } from '../../../functions/users/stores/dynamodb-batch.ts';
import type { Item } from '../../../functions/users/stores/dynamodb-items.ts';
import { SharedReads } from '../../../functions/users/stores/dynamodb-reads.ts';

/** A BatchGetItem that a test answers when it likes. */
export interface OpenBatch {
  readonly keys: readonly string[];
  readonly attributes: string;
  readonly signal: AbortSignal;
  /** Answers with what there was when it was sent, and leaves some keys out. */
  answer(leftOut?: readonly string[]): void;
  fail(error: unknown): void;
}

/**
 * A table that answers BatchGetItems only when told, each with the versions that its keys had when it was sent: as late
 * an answer, of as early a read, as DynamoDB may give.
 */
export class BatchTable {
  /** The batches under way, in the order in which they were sent. */
  readonly open: OpenBatch[] = [];
  readonly #versions = new Map<string, number>();

  /** Writes one more version of a key, and has acknowledged it when it returns. */
  write(key: string): void {
    this.#versions.set(key, this.versionOf(key) + 1);
  }

  /** Of a key that was never written it is zero; there is an item all the same. */
  versionOf(key: string): number {
    return this.#versions.get(key) ?? 0;
  }

  /** Takes a batch out of those under way. */
  take(at = 0): OpenBatch {
    const [batch] = this.open.splice(at, 1);
    if (batch === undefined) throw new Error(`no batch ${at} is under way`);
    return batch;
  }

  async batchGet(keys: readonly string[], attributes: string, signal: AbortSignal): Promise<BatchAnswer> {
    const answered = Promise.withResolvers<BatchAnswer>();
    const all = keys.map((key) => [key, itemOf(key, this.versionOf(key))] as const);
    const batch: OpenBatch = {
      keys,
      attributes,
      signal,
      answer(leftOut = []) {
        const items = new Map(all.filter(([key]) => !leftOut.includes(key)));
        answered.resolve({ items, unprocessed: leftOut });
      },
      fail: answered.reject,
    };
    const abort = () => {
      const at = this.open.indexOf(batch);
      if (at >= 0) this.open.splice(at, 1);
      answered.reject(signal.reason);
    };
    signal.addEventListener('abort', abort);
    this.open.push(batch);
    return answered.promise;
  }
}

const itemOf = (key: string, version: number): Item => ({ pk: { S: key }, version: { N: String(version) } });

/** Limits with few batches, so that something waits soon. */
export const few = { ...limits, dynamoMaxConcurrentReads: 2, dynamoMaxSockets: 4, dynamoMaxTries: 3 };

/** Reads of a table that waits for the test, and what they tell. */
export function sharedReads(within = few) {
  const table = new BatchTable();
  const events = { retries: 0, throttles: 0, requests: [] as string[] };
  const reads = new SharedReads({
    table,
    limits: within,
    events: {
      retried() {
        events.retries += 1;
      },
      throttled() {
        events.throttles += 1;
      },
      readFor(_, keys, calls) {
        events.requests.push(`${keys} keys for ${calls.length}`);
      },
    },
  });
  return { table, reads, events };
}

/** Lets a turn of the event loop end. */
export const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** So many different keys. */
export const numbered = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);
