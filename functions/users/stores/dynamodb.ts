import { randomUUID } from 'node:crypto';
import { limits as defaultLimits, type Limits } from '../../limits.ts';
import {
  type Account,
  type Candidate,
  type Change,
  type ChangeResult,
  type KnownRequest,
  noEvents,
  type Refusal,
  type Removal,
  type SignUp,
  type SignUpResult,
  type StoredUser,
  StoreError,
  type StoreEvents,
  type UserStore,
  type Wanted,
} from '../store.ts';
import { readAccount } from './dynamodb-account.ts';
import { mailKeys, ownMailKey } from './dynamodb-addresses.ts';
import { isCancelled } from './dynamodb-api.ts';
import { DynamoClient, system } from './dynamodb-client.ts';
import { fault } from './dynamodb-faults.ts';
import {
  accountOf,
  isKnown,
  isTaken,
  keyOf,
  nameKey,
  requestKey,
  userKey,
  userOf,
} from './dynamodb-items.ts';
import { listNames } from './dynamodb-listing.ts';
import { SharedReads } from './dynamodb-reads.ts';
import { DynamoTable } from './dynamodb-table.ts';
import {
  changedAccount,
  changeWrites,
  removalWrites,
  signUpWrites,
  type WriteContext,
} from './dynamodb-writes.ts';

/** How to reach users in a DynamoDB table. */
export interface DynamoStoreOptions {
  /** The table: its partition key is the string `pk`, its TTL attribute `expiresAt`, its index `nameIndex`. */
  readonly table: string;
  /** Default: what the environment says, as `findEndpoint` finds it. */
  readonly endpoint?: string;
  /** Default: the limits of the service. */
  readonly limits?: Pick<
    Limits,
    | 'dynamoMaxSockets'
    | 'dynamoMaxSocketAgeMs'
    | 'dynamoConnectTimeoutMs'
    | 'dynamoAttemptTimeoutMs'
    | 'dynamoMaxAttempts'
    | 'dynamoMaxTries'
    | 'dynamoMaxConcurrentReads'
    | 'dynamoMaxReadWaitMs'
    | 'storeTimeoutMs'
  >;
  /** The time in ms since the epoch, for the expiry of request ids. Default: `Date.now`. */
  readonly now?: () => number;
  /** Is told of retries and of throttling. Default: nobody. */
  readonly events?: StoreEvents;
  /**
   * Is told with a StoreError that the table can't be read, while the first calls are under way. Default: the opening
   * waits for that, and fails.
   */
  readonly onUnusable?: ((error: StoreError) => void) | undefined;
}

/** No user has the id zero. */
const nobody: Wanted = { username: '', userId: 0 };

/**
 * Keeps users in a DynamoDB table, for any number of servers. What is written is one transaction, a look-up one
 * consistent read, of an account by name or address two; reads that wait together share requests. A page is read from
 * an index, which is a moment behind. The actions it needs are PutItem, UpdateItem and DeleteItem (which cover those in
 * TransactWriteItems), BatchGetItem, and Query of the index; `all`, which no method of the service calls, needs Scan.
 *
 * @throws StoreError if the table can't be read, with one line that says why
 */
export async function openDynamoStore(options: DynamoStoreOptions): Promise<UserStore> {
  const { table, endpoint, limits = defaultLimits, now = Date.now, events = noEvents } = options;
  const client = new DynamoClient({ endpoint, limits, events });
  const users = new DynamoTable({ client, table, limits, now, events });
  const readOptions = { table: users, limits, events };
  const reads = new SharedReads(readOptions);
  let callsUnderWay = 0;
  let closed = false;
  const lastEnded = Promise.withResolvers<void>();

  /** Runs a call, and turns what ends it early into what the interface promises. */
  async function run<T>(
    what: string,
    repeatable: boolean,
    signal: AbortSignal,
    call: () => Promise<T>,
  ): Promise<T> {
    begin(signal);
    try {
      return await call();
    } catch (cause) {
      signal.throwIfAborted();
      throw fault(what, cause, repeatable);
    } finally {
      end();
    }
  }

  function begin(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (closed) throw new StoreError('the store is closed', { retrySafe: true });
    callsUnderWay += 1;
  }

  function end(): void {
    callsUnderWay -= 1;
    if (closed && callsUnderWay === 0) lastEnded.resolve();
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
    const mail = email === undefined ? [] : mailKeys(email);
    const found = await reads.read([name, ...mail], signal);
    const nowMs = now();
    const taken = [name, ...mail].find((key) => isTaken(found.get(key), nowMs));
    if (taken === undefined) return undefined;
    if (requestId !== undefined) {
      const key = requestKey(requestId);
      const first = (await reads.read([key], signal)).get(key);
      if (first && isKnown(first, now())) return undefined;
    }
    return taken === name ? 'username_taken' : 'email_taken';
  }

  async function signUp(valid: SignUp, signal: AbortSignal): Promise<SignUpResult> {
    const refused = await users.transact('a sign-up', (context) => signUpWrites(valid, context), signal);
    return refused ?? { outcome: 'created', user: { username: valid.username, userId: valid.userId } };
  }

  async function change(valid: Change, signal: AbortSignal): Promise<ChangeResult> {
    const mail = await ownMailKey(reads, valid.from, signal);
    const refused = await users.transact('a change', (context) => changeWrites(valid, mail, context), signal);
    return refused ?? { outcome: 'changed', account: changedAccount(valid) };
  }

  async function recall(requestId: string, signal: AbortSignal): Promise<KnownRequest | undefined> {
    const key = requestKey(requestId);
    const item = (await reads.read([key], signal)).get(key);
    const fingerprint = item?.fingerprint?.S;
    if (fingerprint === undefined || !isKnown(item ?? {}, now())) return undefined;
    return { fingerprint, userId: Number(item?.userId?.N) };
  }

  async function remove(valid: Removal, signal: AbortSignal): Promise<boolean> {
    const mail = await ownMailKey(reads, valid.from, signal);
    const writesAt = (context: WriteContext) => removalWrites(valid, mail, context);
    return (await users.transact('a removal', writesAt, signal)) ?? true;
  }

  async function* all(signal: AbortSignal): AsyncGenerator<readonly Account[], void, undefined> {
    const filter = {
      FilterExpression: 'begins_with(pk, :user)',
      ExpressionAttributeValues: { ':user': { S: 'USER#' } },
    };
    const pages = users.scan(filter, signal);
    for (;;) {
      const { done, value: items } = await run('read users', true, signal, () => pages.next());
      if (done || items === undefined) return;
      yield items.map(accountOf).filter((account) => account !== undefined);
    }
  }

  /** `run` in one step: many of it wait at once, and each async function on the way would keep what it has made. */
  function find(wanted: readonly Wanted[], signal: AbortSignal): Promise<(StoredUser | undefined)[]> {
    const failed = (cause: unknown): never => {
      signal.throwIfAborted();
      throw fault('read users', cause, true);
    };
    try {
      begin(signal);
    } catch (error) {
      return Promise.reject(error);
    }
    const keys = wanted.map(keyOf);
    return reads.read(keys, signal).then(
      (items) => {
        end();
        try {
          return keys.map((key) => {
            const item = items.get(key);
            return item && userOf(item);
          });
        } catch (cause) {
          return failed(cause);
        }
      },
      (cause) => {
        end();
        return failed(cause);
      },
    );
  }

  /**
   * Asks for nobody, and for a write whose condition can't hold: both show that the table answers, and none stores
   * anything. Its read waits for no others.
   */
  async function probe(abortSignal: AbortSignal): Promise<void> {
    const pk = { S: userKey(nobody.userId) };
    await new SharedReads(readOptions).read([pk.S], abortSignal);
    const condition = 'attribute_exists(pk)';
    const write = { Put: { TableName: table, Item: { pk }, ConditionExpression: condition } };
    try {
      const request = { TransactItems: [write], ClientRequestToken: randomUUID() };
      await client.send('TransactWriteItems', request, abortSignal);
    } catch (error) {
      const [reason] = isCancelled(error) ? error.reasons : [];
      if (reason?.Code !== 'ConditionalCheckFailed') throw error;
    }
  }

  const store: UserStore = {
    system,
    precheck: (candidate, signal) => run('read users', true, signal, () => precheck(candidate, signal)),
    signUp: (valid, signal) =>
      run('store the user', valid.request !== undefined, signal, () => signUp(valid, signal)),
    account: (key, signal) => run('read users', true, signal, () => readAccount(reads, key, signal)),
    change: (valid, signal) =>
      run('change the user', valid.request !== undefined, signal, () => change(valid, signal)),
    recall: (requestId, signal) => run('read users', true, signal, () => recall(requestId, signal)),
    // A repeat finds that nobody is there. But a name that is free at once may be another user's by then.
    remove: (valid, signal) =>
      run('remove the user', valid.heldUntilMs > now(), signal, () => remove(valid, signal)),
    list: (listing, signal) => run('list users', true, signal, () => listNames(users, listing, signal)),
    all,
    find,
    probe: (signal) => run('read or write users', true, signal, () => probe(signal)),
    async close() {
      closed = true;
      client.stopWaiting();
      if (callsUnderWay > 0) await lastEnded.promise;
      await client.close();
    },
  };
  const checked = store.find([nobody], AbortSignal.timeout(limits.storeTimeoutMs)).catch(async (cause) => {
    await store.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(`cannot use the table ${table}: ${reason}`, { retrySafe: false, cause });
  });
  if (options.onUnusable) checked.catch(options.onUnusable);
  else await checked;
  return store;
}
