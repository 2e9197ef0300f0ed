import {
  DynamoDBClient,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { limits as defaultLimits, type Limits } from '../../limits.ts';
import {
  type Candidate,
  noEvents,
  type Refusal,
  type StoredUser,
  StoreError,
  type StoreEvents,
  type UserStore,
  type Wanted,
} from '../store.ts';
import { watchAttempts } from './dynamodb-attempts.ts';
import { fault } from './dynamodb-faults.ts';
import { type Item, isKnown, keyOf, mailKey, nameKey, requestKey, userOf } from './dynamodb-items.ts';
import { DynamoTable, system } from './dynamodb-table.ts';

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
  const users = new DynamoTable({ client, table, limits, now, events });
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
    const taken = await users.read([name, ...mail], signal);
    if (taken.size === 0) return undefined;
    if (requestId !== undefined) {
      const key = requestKey(requestId);
      const first = (await users.read([key], signal)).get(key);
      if (first && isKnown(first, now())) return undefined;
    }
    return taken.has(name) ? 'username_taken' : 'email_taken';
  }

  async function find(wanted: readonly Wanted[], signal: AbortSignal): Promise<(StoredUser | undefined)[]> {
    const keys = wanted.map(keyOf);
    const distinct = [...new Set(keys)].filter((key) => key !== undefined);
    const items = new Map<string, Item>();
    for (let at = 0; at < distinct.length; at += maxBatchKeys) {
      for (const [key, item] of await users.read(distinct.slice(at, at + maxBatchKeys), signal))
        items.set(key, item);
    }
    return keys.map((key) => {
      const item = key === undefined ? undefined : items.get(key);
      return item && userOf(item);
    });
  }

  /**
   * Asks for nobody, and for a write whose condition can't hold: both show that the table answers, and none stores
   * anything.
   */
  async function probe(abortSignal: AbortSignal): Promise<void> {
    const pk = { S: `USER#${nobody.userId}` };
    await users.read([pk.S], abortSignal);
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
      run('store the user', signUp.request !== undefined, signal, () => users.signUp(signUp, signal)),
    find: (wanted, signal) => run('read users', true, signal, () => find(wanted, signal)),
    account: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    change: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    recall: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    remove: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    list: () => Promise.reject(new StoreError('not yet', { retrySafe: false })),
    all: () => {
      throw new StoreError('not yet', { retrySafe: false });
    },
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
