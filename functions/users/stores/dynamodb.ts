import {
  type AttributeValue,
  BatchGetItemCommand,
  DynamoDBClient,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { limits as defaultLimits, type Limits } from '../../limits.ts';
import {
  type Candidate,
  noEvents,
  type Refusal,
  type SignUp,
  type SignUpResult,
  type StoredUser,
  StoreError,
  type StoreEvents,
  type UserStore,
  type Wanted,
} from '../store.ts';
import { backoff } from './backoff.ts';
import { watchAttempts } from './dynamodb-attempts.ts';
import { fault, passingReasons, throttledReasons } from './dynamodb-faults.ts';
import {
  type Item,
  isKnown,
  keyOf,
  mailKey,
  nameKey,
  requestKey,
  signUpWrites,
  userOf,
} from './dynamodb-items.ts';

/** How to reach users in a DynamoDB table. */
export interface DynamoStoreOptions {
  /** The table: its partition key is the string `pk`, its TTL attribute `expiresAt`. */
  readonly table: string;
  /** Default: what the SDK finds in the environment, `AWS_ENDPOINT_URL` included. */
  readonly endpoint?: string;
  /** Default: the limits of the service. */
  readonly limits?: Pick<
    Limits,
    | 'dynamoMaxSockets'
    | 'dynamoConnectTimeoutMs'
    | 'dynamoAttemptTimeoutMs'
    | 'dynamoMaxAttempts'
    | 'dynamoMaxTries'
    | 'storeTimeoutMs'
  >;
  /** The time in ms since the epoch, for the expiry of request ids. Default: `Date.now`. */
  readonly now?: () => number;
  /** Is told of retries, the SDK's and our own, and of throttling. Default: nobody. */
  readonly events?: StoreEvents;
}

/** What DynamoDB is called in telemetry. */
const system = 'aws.dynamodb';

/** No user has the id zero. */
const nobody: Wanted = { username: '', userId: 0 };

/** What one BatchGetItem takes. */
const maxBatchKeys = 100;

/**
 * Keeps users in a DynamoDB table, for any number of servers. A sign-up is one transaction, a look-up one
 * consistent read; the actions it needs are PutItem (which covers Put in TransactWriteItems) and BatchGetItem.
 *
 * @throws StoreError if the table can't be read, with one line that says why
 */
export async function openDynamoStore(options: DynamoStoreOptions): Promise<UserStore> {
  const { table, endpoint, limits = defaultLimits, now = Date.now, events = noEvents } = options;
  const agent = { keepAlive: true, maxSockets: limits.dynamoMaxSockets };
  const client = new DynamoDBClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: limits.dynamoMaxAttempts,
    requestHandler: {
      connectionTimeout: limits.dynamoConnectTimeoutMs,
      requestTimeout: limits.dynamoAttemptTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
  watchAttempts(client, system, events);
  const underWay = new Set<Promise<unknown>>();
  let closed = false;

  /** Runs a call, and turns what ends it early into what the interface promises. */
  async function run<T>(
    what: string,
    repeatable: boolean,
    signal: AbortSignal,
    call: () => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    if (closed) throw new StoreError('the store is closed', { retrySafe: true });
    const running = call();
    underWay.add(running);
    try {
      return await running;
    } catch (cause) {
      signal.throwIfAborted();
      throw fault(what, cause, repeatable);
    } finally {
      underWay.delete(running);
    }
  }

  async function transact(signUp: SignUp, abortSignal: AbortSignal): Promise<SignUpResult> {
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

  async function read(keys: readonly string[], abortSignal: AbortSignal): Promise<Map<string, Item>> {
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

  /**
   * A batch is no snapshot. So the request id is read after name and email: if a first request has taken them, its id
   * is there.
   */
  async function precheck(
    { username, email, requestId }: Candidate,
    signal: AbortSignal,
  ): Promise<Refusal | undefined> {
    const name = nameKey(username);
    const mail = email === undefined ? [] : [mailKey(email)];
    const taken = await read([name, ...mail], signal);
    if (taken.size === 0) return undefined;
    if (requestId !== undefined) {
      const key = requestKey(requestId);
      const first = (await read([key], signal)).get(key);
      if (first && isKnown(first, now())) return undefined;
    }
    return taken.has(name) ? 'username_taken' : 'email_taken';
  }

  async function find(wanted: readonly Wanted[], signal: AbortSignal): Promise<(StoredUser | undefined)[]> {
    const keys = wanted.map(keyOf);
    const distinct = [...new Set(keys)].filter((key) => key !== undefined);
    const items = new Map<string, Item>();
    for (let at = 0; at < distinct.length; at += maxBatchKeys) {
      for (const [key, item] of await read(distinct.slice(at, at + maxBatchKeys), signal))
        items.set(key, item);
    }
    return keys.map((key) => {
      const item = key === undefined ? undefined : items.get(key);
      return item && userOf(item);
    });
  }

  /** Asks for nobody, and for a write whose condition can't hold: both show that the table answers, and none stores anything. */
  async function probe(abortSignal: AbortSignal): Promise<void> {
    const pk = { S: `USER#${nobody.userId}` };
    await read([pk.S], abortSignal);
    const condition = 'attribute_exists(pk)';
    const write = { Put: { TableName: table, Item: { pk }, ConditionExpression: condition } };
    try {
      await client.send(new TransactWriteItemsCommand({ TransactItems: [write] }), { abortSignal });
    } catch (error) {
      const [reason] = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
      if (reason?.Code !== 'ConditionalCheckFailed') throw error;
    }
  }

  const store: UserStore = {
    system,
    precheck: (candidate, signal) => run('read users', true, signal, () => precheck(candidate, signal)),
    signUp: (signUp, signal) =>
      run('store the user', signUp.request !== undefined, signal, () => transact(signUp, signal)),
    find: (wanted, signal) => run('read users', true, signal, () => find(wanted, signal)),
    probe: (signal) => run('read or write users', true, signal, () => probe(signal)),
    async close() {
      closed = true;
      await Promise.allSettled(underWay);
      client.destroy();
    },
  };
  try {
    await store.find([nobody], AbortSignal.timeout(limits.storeTimeoutMs));
  } catch (error) {
    await store.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError(`cannot use the table ${table}: ${reason}`, { retrySafe: false, cause: error });
  }
  return store;
}
