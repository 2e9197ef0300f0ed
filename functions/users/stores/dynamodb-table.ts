import {
  type AttributeValue,
  BatchGetItemCommand,
  type DynamoDBClient,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import type { Limits } from '../../limits.ts';
import { type SignUp, type SignUpResult, StoreError, type StoreEvents } from '../store.ts';
import { backoff } from './backoff.ts';
import { passingReasons, throttledReasons } from './dynamodb-faults.ts';
import { type Item, signUpWrites } from './dynamodb-items.ts';

/** What DynamoDB is called in telemetry. */
export const system = 'aws.dynamodb';

/** What requests of a table are made with. */
export interface DynamoTableOptions {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly limits: Pick<Limits, 'dynamoMaxTries'>;
  /** The time in ms since the epoch. */
  readonly now: () => number;
  readonly events: StoreEvents;
}

/** A table. Its requests are sent again while others stand in their way, or while DynamoDB has too much to do. */
export class DynamoTable {
  readonly #options: DynamoTableOptions;

  constructor(options: DynamoTableOptions) {
    this.#options = options;
  }

  /**
   * Stores a user in one transaction.
   *
   * @throws StoreError when others stand in the way for too long; the SDK's errors
   */
  async signUp(signUp: SignUp, abortSignal: AbortSignal): Promise<SignUpResult> {
    const { client, table, limits, now, events } = this.#options;
    for (let tries = 1; ; tries++) {
      const writes = signUpWrites(table, signUp, now());
      // A new command has a new ClientRequestToken: with the same one, the SDK's own repeats of a write whose
      // answer was lost succeed.
      const command = new TransactWriteItemsCommand({ TransactItems: writes.map(({ write }) => write) });
      try {
        await client.send(command, { abortSignal });
        return { outcome: 'created', user: { username: signUp.username, userId: signUp.userId } };
      } catch (error) {
        if (!(error instanceof TransactionCanceledException)) throw error;
        // The first rule that stands in the way decides. Behind a conflict may be our own request id: only
        // another try tells.
        const reasons = error.CancellationReasons ?? [];
        const at = reasons.findIndex(({ Code }) => Code !== undefined && Code !== 'None');
        const reason = reasons[at];
        if (reason?.Code === 'ConditionalCheckFailed' && writes[at]) return writes[at].refused(reason);
        if (!passingReasons.has(reason?.Code)) throw error;
        if (throttledReasons.has(reason?.Code)) events.throttled(system);
        if (tries >= limits.dynamoMaxTries) {
          throw new StoreError(`DynamoDB gave up a sign-up after ${tries} tries: ${reason?.Code}`, {
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
   * Reads the items that there are, by their keys: at most 100.
   *
   * @throws StoreError when DynamoDB leaves some out again and again; the SDK's errors
   */
  async read(keys: readonly string[], abortSignal: AbortSignal): Promise<Map<string, Item>> {
    const { client, table, limits, events } = this.#options;
    const items = new Map<string, Item>();
    let left: Record<string, AttributeValue>[] = keys.map((key) => ({ pk: { S: key } }));
    for (let tries = 1; left.length > 0; tries++) {
      const command = new BatchGetItemCommand({
        RequestItems: {
          [table]: {
            Keys: left,
            ConsistentRead: true,
            ProjectionExpression: 'pk, username, userId, expiresAt',
          },
        },
      });
      const { Responses, UnprocessedKeys } = await client.send(command, { abortSignal });
      for (const item of Responses?.[table] ?? []) {
        if (item.pk?.S !== undefined) items.set(item.pk.S, item);
      }
      const unprocessed = UnprocessedKeys?.[table]?.Keys ?? [];
      if (unprocessed.length > 0) events.throttled(system);
      if (unprocessed.length < left.length)
        tries = 1; // it goes forward: only standing still counts
      else if (tries >= limits.dynamoMaxTries) {
        throw new StoreError(`DynamoDB left out ${unprocessed.length} keys ${tries} times`, {
          retrySafe: true,
          isOverload: true,
        });
      }
      left = unprocessed;
      if (left.length === 0) break;
      events.retried(system);
      await backoff(tries, abortSignal);
    }
    return items;
  }
}
