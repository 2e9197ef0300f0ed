import { limits as defaultLimits } from '../../limits.ts';
import { noEvents, StoreError } from '../store.ts';
import { DynamoError } from './dynamodb-api.ts';
import { DynamoClient, type DynamoClientOptions } from './dynamodb-client.ts';
import { fault } from './dynamodb-faults.ts';
import { type Item, initialOf, mailKey, nameIndex } from './dynamodb-items.ts';
import { DynamoTable, type DynamoTableOptions } from './dynamodb-table.ts';
import { movingMail } from './dynamodb-writes.ts';

/** Which table to bring up to date. */
export interface IndexNamesOptions {
  readonly table: string;
  /** Default: what the environment says, as `findEndpoint` finds it. */
  readonly endpoint?: string | undefined;
  /** Default: the limits of the service. */
  readonly limits?: DynamoClientOptions['limits'] & DynamoTableOptions['limits'];
  /** Is told in one line of each user whose address can't be entered as another has it. Default: nobody. */
  readonly warn?: (line: string) => void;
}

/** Items that are written at the same time. */
const concurrentWrites = 20;

/**
 * Enters in the index the names of users whom version 1 has stored, so that `list` finds them, and moves their
 * addresses to the keys of this version where these are others. It may be repeated, and run while servers serve: what
 * is done already stays, and whoever is removed meanwhile stays removed. The actions that it needs are DescribeTable,
 * Scan, UpdateItem, PutItem and DeleteItem.
 *
 * @returns how many names were entered
 * @throws StoreError if the table has no such index, or can't be read and written, with one line that says why; the
 *   signal's reason once it is aborted
 */
export async function indexNames(options: IndexNamesOptions, signal: AbortSignal): Promise<number> {
  const { table, endpoint, limits = defaultLimits, warn } = options;
  signal.throwIfAborted();
  // Nobody waits for an answer: throttled, it goes on more slowly.
  const patient = { ...limits, dynamoMaxAttempts: limits.dynamoMaxTries };
  const client = new DynamoClient({ endpoint, limits: patient, events: noEvents });
  const users = new DynamoTable({ client, table, limits, now: Date.now, events: noEvents });
  let indexed = 0;
  try {
    await checkIndex(client, table, signal);
    const filter = {
      FilterExpression: `attribute_not_exists(heldUntilMs) AND (begins_with(pk, :mail) OR
        begins_with(pk, :name) AND attribute_not_exists(initial))`,
      ExpressionAttributeValues: { ':name': { S: 'NAME#' }, ':mail': { S: mailPrefix } },
    };
    for await (const items of users.scan(filter, signal)) {
      await moveAddresses(users, items, warn, signal);
      const keys = items.flatMap(({ pk }) => (pk?.S?.startsWith('NAME#') ? [pk.S] : []));
      for (let at = 0; at < keys.length; at += concurrentWrites) {
        const some = keys.slice(at, at + concurrentWrites);
        const entered = await Promise.all(some.map((pk) => enter(client, table, pk, signal)));
        indexed += entered.filter((isNew) => isNew).length;
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    throw fault('index the names', error, true);
  } finally {
    await client.close();
  }
  return indexed;
}

const mailPrefix = 'MAIL#';

/** Of the addresses that people have hardly one is folded otherwise: one after the other will do. */
async function moveAddresses(
  users: DynamoTable,
  items: readonly Item[],
  warn: (line: string) => void = () => {},
  signal: AbortSignal,
): Promise<void> {
  for (const { pk, userId } of items) {
    const from = pk?.S ?? '';
    if (!from.startsWith(mailPrefix)) continue;
    const to = mailKey(from.slice(mailPrefix.length));
    if (to === from) continue;
    const move = { from, to, userId: Number(userId?.N) };
    const refused = await users.transact('a move', (context) => movingMail(move, context), signal);
    if (refused !== 'taken') continue;
    warn(
      `the user with user_id ${move.userId} has an e-mail address that is another's but for case or accents: give it another`,
    );
  }
}

/** That an item is of a user's name, which the index lacks. */
const isMissing = 'attribute_not_exists(initial) AND attribute_not_exists(heldUntilMs)';

/** @returns whether the name was not there yet */
async function enter(
  client: DynamoClient,
  table: string,
  pk: string,
  abortSignal: AbortSignal,
): Promise<boolean> {
  const update = {
    TableName: table,
    Key: { pk: { S: pk } },
    UpdateExpression: 'SET initial = :initial',
    ConditionExpression: `attribute_exists(pk) AND ${isMissing}`,
    ExpressionAttributeValues: { ':initial': { S: initialOf(pk) } },
  };
  try {
    await client.send('UpdateItem', update, abortSignal);
    return true;
  } catch (error) {
    if (error instanceof DynamoError && error.name === 'ConditionalCheckFailedException') return false;
    throw error;
  }
}

async function checkIndex(client: DynamoClient, table: string, abortSignal: AbortSignal): Promise<void> {
  const { Table } = await client.send('DescribeTable', { TableName: table }, abortSignal);
  if (Table?.GlobalSecondaryIndexes?.some(({ IndexName }) => IndexName === nameIndex)) return;
  const message = `the table ${table} has no index ${nameIndex}: deploy this version first`;
  throw new StoreError(message, { retrySafe: false });
}
