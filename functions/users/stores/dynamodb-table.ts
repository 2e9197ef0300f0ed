import { randomUUID } from 'node:crypto';
import type { Limits } from '../../limits.ts';
import { StoreError, type StoreEvents } from '../store.ts';
import { backoff } from './backoff.ts';
import { type ItemPage, isCancelled, type ScanInput } from './dynamodb-api.ts';
import { type BatchAnswer, readBatch } from './dynamodb-batch.ts';
import { type DynamoClient, system } from './dynamodb-client.ts';
import { isThrottle, passingReasons, throttledReasons } from './dynamodb-faults.ts';
import { type Item, nameIndex } from './dynamodb-items.ts';
import type { ConditionalWrite, WriteContext } from './dynamodb-writes.ts';

/** What requests of a table are made with. */
export interface DynamoTableOptions {
  readonly client: DynamoClient;
  readonly table: string;
  readonly limits: Pick<Limits, 'dynamoMaxTries'>;
  /** The time in ms since the epoch. */
  readonly now: () => number;
  readonly events: StoreEvents;
}

/**
 * Keys of one BatchGetItem:
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
 */
export const maxBatchKeys = 100;

/** Items that one request of a scan looks at. A thousand take some 200 KB. */
const scannedItems = 1_000;

/** Which names of one partition of the index to read: from one key to another, both included. */
export interface NameRange {
  readonly initial: string;
  readonly from: string;
  readonly to: string;
  readonly maxItems: number;
}

/** A table. Its requests are sent again while others stand in their way, or while DynamoDB has too much to do. */
export class DynamoTable {
  readonly #options: DynamoTableOptions;

  constructor(options: DynamoTableOptions) {
    this.#options = options;
  }

  /**
   * Makes all writes or none, in one transaction.
   *
   * @param what what a reader of an error calls it
   * @param writesAt gives the writes of a try, in the order of their rules
   * @returns what the first rule says that stands in the way; `undefined` if they were made
   * @throws StoreError when others stand in the way for too long; the client's errors
   */
  async transact<Refused>(
    what: string,
    writesAt: (context: WriteContext) => readonly ConditionalWrite<Refused>[],
    abortSignal: AbortSignal,
  ): Promise<Refused | undefined> {
    const { client, table, limits, now, events } = this.#options;
    for (let tries = 1; ; tries++) {
      const writes = writesAt({ table, nowMs: now() });
      // With the token that they have in common, the client's own repeats of a write whose answer was lost succeed.
      const request = {
        TransactItems: writes.map(({ write }) => write),
        ClientRequestToken: randomUUID(),
      };
      try {
        await client.send('TransactWriteItems', request, abortSignal);
        return undefined;
      } catch (error) {
        if (!isCancelled(error)) throw error;
        // The first rule that stands in the way decides. Behind a conflict may be our own request id: only
        // another try tells.
        const { reasons } = error;
        const at = reasons.findIndex(({ Code }) => Code !== undefined && Code !== 'None');
        const reason = reasons[at];
        if (reason?.Code === 'ConditionalCheckFailed' && writes[at]) return writes[at].refused(reason);
        if (!passingReasons.has(reason?.Code)) throw error;
        if (throttledReasons.has(reason?.Code)) events.throttled(system);
        if (tries >= limits.dynamoMaxTries) {
          throw new StoreError(`DynamoDB gave up ${what} after ${tries} tries: ${reason?.Code}`, {
            retrySafe: true,
            isOverload: true,
            cause: error,
          });
        }
        events.retried(system);
        await backoff(tries, abortSignal);
      }
    }
  }

  /**
   * Reads the items that there are, by their keys, in one request.
   *
   * @param keys at most `maxBatchKeys`, each once
   * @param attributes what to read of each, `pk` among them
   * @throws the client's errors
   */
  batchGet(keys: readonly string[], attributes: string, abortSignal: AbortSignal): Promise<BatchAnswer> {
    const { client, table } = this.#options;
    const request = {
      Keys: keys.map((key) => ({ pk: { S: key } })),
      ConsistentRead: true,
      ProjectionExpression: attributes,
    };
    const input = { RequestItems: { [table]: request } };
    const read = (text: string) => readBatch(text, table, attributes);
    return client.send('BatchGetItem', input, abortSignal, read);
  }

  /**
   * Reads names in their order, as far as one request goes. An index is a moment behind its table:
   * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
   *
   * @returns the items, and the key of the last one if there may be more
   * @throws the client's errors
   */
  async readNames(
    { initial, from, to, maxItems }: NameRange,
    abortSignal: AbortSignal,
  ): Promise<{ readonly items: readonly Item[]; readonly lastKey?: string | undefined }> {
    const { client, table } = this.#options;
    const query = {
      TableName: table,
      IndexName: nameIndex,
      KeyConditionExpression: 'initial = :initial AND pk BETWEEN :from AND :to',
      ExpressionAttributeValues: { ':initial': { S: initial }, ':from': { S: from }, ':to': { S: to } },
      Limit: maxItems,
    };
    const { Items = [], LastEvaluatedKey } = await client.send('Query', query, abortSignal);
    return { items: Items, lastKey: LastEvaluatedKey?.pk?.S };
  }

  /**
   * Reads the whole table, some items at a time, whoever waits for capacity meanwhile: not for what a call does.
   *
   * @param filter which items to return
   * @throws the client's errors
   */
  async *scan(
    filter: Pick<ScanInput, 'FilterExpression' | 'ExpressionAttributeValues'>,
    abortSignal: AbortSignal,
  ): AsyncGenerator<readonly Item[], void, undefined> {
    const request = { TableName: this.#options.table, ConsistentRead: true, Limit: scannedItems, ...filter };
    let from: Item | undefined;
    do {
      const { Items, LastEvaluatedKey } = await this.#scanOnce(
        { ...request, ExclusiveStartKey: from },
        abortSignal,
      );
      if (Items && Items.length > 0) yield Items;
      from = LastEvaluatedKey;
    } while (from !== undefined);
  }

  /** A copy takes what capacity is left: it waits longer than a call can. */
  async #scanOnce(input: ScanInput, abortSignal: AbortSignal): Promise<ItemPage> {
    const { client, limits, events } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        return await client.send('Scan', input, abortSignal);
      } catch (error) {
        if (!isThrottle(error) || tries >= limits.dynamoMaxTries) throw error;
        events.retried(system);
        await backoff(tries, abortSignal);
      }
    }
  }
}
