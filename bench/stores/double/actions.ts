import { ExpressionError, holds, type Item, type Placeholders, projected, updated } from './expression.ts';
import { Failure, invalid, throttled } from './failure.ts';
import type { Meter } from './meter.ts';
import { keyName, keyOf, type Table, writeUnits } from './table.ts';

/** What one request may name: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const maxBatchKeys = 100;
const maxTransactionItems = 100;

/** A write, alone or in a transaction. */
interface Write extends Placeholders {
  readonly TableName: string;
  readonly Key?: Item;
  readonly Item?: Item;
  readonly UpdateExpression?: string;
  readonly ConditionExpression?: string;
  readonly ReturnValuesOnConditionCheckFailure?: string;
}

/** The fields of requests that the double looks at. */
export interface Request extends Write {
  readonly RequestItems?: Readonly<Record<string, BatchOfKeys>>;
  readonly TransactItems?: readonly Readonly<Record<string, Write>>[];
  readonly ClientRequestToken?: string;
  readonly IndexName?: string;
  readonly KeyConditionExpression?: string;
  readonly FilterExpression?: string;
  readonly ProjectionExpression?: string;
  readonly ExclusiveStartKey?: Item;
  readonly ConsistentRead?: boolean;
  readonly ScanIndexForward?: boolean;
  readonly Limit?: number;
}

interface BatchOfKeys extends Placeholders {
  readonly Keys: readonly Item[];
  readonly ConsistentRead?: boolean;
  readonly ProjectionExpression?: string;
}

/** What writes are made of: the item before and after one, or that only its condition counts. */
interface Step {
  readonly table: Table;
  readonly key: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
  readonly isCheck: boolean;
  readonly write: Write;
}

/** DynamoDB's actions on items, each all at once: no two requests ever conflict. */
export class Actions {
  readonly tables = new Map<string, Table>();
  readonly #meter: Meter;
  /** Tokens of transactions that were made, for ten minutes in DynamoDB; here the last ones. */
  readonly #tokens = new Set<string>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /** Throws a Failure where DynamoDB answers with an error. */
  act(action: string, request: Request): object {
    const act = this.#actions[action];
    if (act === undefined) throw new Failure('UnknownOperationException', `no action ${action}`);
    try {
      return act(request);
    } catch (error) {
      throw error instanceof ExpressionError ? invalid(error.message) : error;
    }
  }

  table(name: string): Table {
    const table = this.tables.get(name);
    if (table) return table;
    throw new Failure('ResourceNotFoundException', `Requested resource not found: Table: ${name} not found`);
  }

  readonly #actions: Readonly<Record<string, (request: Request) => object>> = {
    GetItem: (request) => this.#get(request),
    BatchGetItem: (request) => this.#batchGet(request),
    PutItem: (request) => this.#writeOne('Put', request),
    UpdateItem: (request) => this.#writeOne('Update', request),
    DeleteItem: (request) => this.#writeOne('Delete', request),
    TransactWriteItems: (request) => this.#transact(request),
    Query: (request) => this.#query(request),
    Scan: (request) => this.#scan(request),
  };

  #get(request: Request): object {
    const table = this.table(request.TableName);
    const key = keyOf(request.Key);
    const units = table.readUnits(key, request.ConsistentRead ?? false);
    if (!table.capacity.read(key, units)) throw throttled();
    this.#meter.read(1, units);
    const item = table.get(key);
    return item ? { Item: projected(request.ProjectionExpression, item, request) } : {};
  }

  #batchGet({ RequestItems = {} }: Request): object {
    const batches = Object.entries(RequestItems);
    const count = batches.reduce((sum, [, { Keys }]) => sum + Keys.length, 0);
    if (count === 0 || count > maxBatchKeys) throw invalid(`${count} keys: 1 to ${maxBatchKeys} are allowed`);
    const responses: Record<string, Item[]> = {};
    const unprocessed: Record<string, object> = {};
    let processed = 0;
    for (const [name, { Keys, ...rest }] of batches) {
      const table = this.table(name);
      if (new Set(Keys.map(keyOf)).size < Keys.length)
        throw invalid('Provided list of item keys contains duplicates');
      const items: Item[] = [];
      const left: Item[] = [];
      for (const wanted of Keys) {
        const key = keyOf(wanted);
        const units = table.readUnits(key, rest.ConsistentRead ?? false);
        if (this.#meter.leavesOut() || !table.capacity.read(key, units)) {
          left.push(wanted);
          continue;
        }
        processed += 1;
        this.#meter.read(1, units);
        const item = table.get(key);
        if (item) items.push(projected(rest.ProjectionExpression, item, rest));
      }
      responses[name] = items;
      if (left.length > 0) unprocessed[name] = { Keys: left, ...rest };
      this.#meter.leftOut(left.length);
    }
    if (processed === 0) throw throttled();
    return { Responses: responses, UnprocessedKeys: unprocessed };
  }

  #writeOne(kind: string, request: Request): object {
    const step = this.#step(kind, request);
    if (!this.#hasRoom(step, 1)) throw throttled();
    this.#pay(step, 1);
    if (!holds(request.ConditionExpression, step.before, request)) {
      const shown = request.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && { Item: step.before };
      throw new Failure('ConditionalCheckFailedException', 'The conditional request failed', { ...shown });
    }
    this.#apply(step);
    return {};
  }

  #transact({ TransactItems = [], ClientRequestToken: token }: Request): object {
    if (TransactItems.length === 0 || TransactItems.length > maxTransactionItems)
      throw invalid(`${TransactItems.length} writes: 1 to ${maxTransactionItems} are allowed`);
    if (token !== undefined && this.#tokens.has(token)) return {};
    const steps = TransactItems.flatMap((it) =>
      Object.entries(it).map(([kind, write]) => this.#step(kind, write)),
    );
    if (new Set(steps.map(({ table, key }) => `${table.name}/${key}`)).size < steps.length)
      throw invalid('Transaction request cannot include multiple operations on one item');
    if (this.#meter.conflicts())
      throw cancelled(steps.map((_, at) => ({ Code: at === 0 ? 'TransactionConflict' : 'None' })));
    // Prepared and committed: each write counts twice.
    const rooms = steps.map((step) => this.#hasRoom(step, 2));
    if (rooms.includes(false)) {
      this.#meter.throttled();
      throw cancelled(rooms.map((room) => ({ Code: room ? 'None' : 'ThrottlingError' })));
    }
    for (const step of steps) this.#pay(step, 2);
    const held = steps.map(({ write, before }) => holds(write.ConditionExpression, before, write));
    if (held.includes(false)) {
      throw cancelled(
        steps.map(({ write, before }, at) => {
          if (held[at]) return { Code: 'None' };
          const shown = write.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before && { Item: before };
          return { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed', ...shown };
        }),
      );
    }
    for (const step of steps) this.#apply(step);
    if (token !== undefined) this.#remember(token);
    return {};
  }

  #query(request: Request): object {
    const table = this.table(request.TableName);
    const { IndexName, KeyConditionExpression: condition, Limit = Number.POSITIVE_INFINITY } = request;
    const { index } = table;
    if (index === undefined || index.name !== IndexName) throw invalid(`no index ${IndexName}`);
    // The hash key is the value that is compared for equality.
    const [, placeholder = ''] = new RegExp(`${index.hash} = (:\\w+)`).exec(condition ?? '') ?? [];
    const hash = request.ExpressionAttributeValues?.[placeholder]?.S ?? '';
    const keys = table.collection(hash);
    const ordered = request.ScanIndexForward === false ? keys.toReversed() : keys;
    const after = keyOf(request.ExclusiveStartKey);
    const found: Item[] = [];
    let last: string | undefined;
    for (const key of ordered.slice(after === '' ? 0 : ordered.indexOf(after) + 1)) {
      const item = table.get(key);
      if (item === undefined || !holds(condition, item, request)) continue;
      found.push(item);
      if (found.length < Limit) continue;
      last = key;
      break;
    }
    const units = Math.max(0.5, Math.ceil(JSON.stringify(found).length / 4096) / 2);
    if (!table.indexCapacity.read(hash, units)) throw throttled();
    this.#meter.read(found.length, units);
    const items = found.map(({ pk, username, userId, ...rest }) => {
      const shown = { pk, username, userId, [index.hash]: rest[index.hash] };
      return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined));
    });
    const from = last !== undefined && { LastEvaluatedKey: { [index.hash]: { S: hash }, pk: { S: last } } };
    return { Items: items, Count: items.length, ScannedCount: items.length, ...from };
  }

  #scan(request: Request): object {
    const table = this.table(request.TableName);
    const { Limit = 1_000 } = request;
    const after = keyOf(request.ExclusiveStartKey);
    let isAfter = after === '';
    let last: string | undefined;
    const items: Item[] = [];
    let scanned = 0;
    for (const key of table.keys()) {
      if (isAfter) {
        const item = table.get(key) ?? {};
        if (holds(request.FilterExpression, item, request)) items.push(item);
        scanned += 1;
        last = key;
        if (scanned >= Limit) break;
      }
      isAfter ||= key === after;
    }
    this.#meter.read(scanned, scanned);
    const from = scanned >= Limit && last !== undefined && { LastEvaluatedKey: { [keyName]: { S: last } } };
    return { Items: items, Count: items.length, ScannedCount: scanned, ...from };
  }

  #step(kind: string, write: Write): Step {
    const table = this.table(write.TableName);
    const key = keyOf(kind === 'Put' ? write.Item : write.Key);
    if (key === '') throw invalid(`${kind} without a key`);
    const before = table.get(key);
    const isCheck = kind === 'ConditionCheck';
    // What an update would make counts even where its condition fails: then it is not looked at.
    const isWanted = isCheck || holds(write.ConditionExpression, before, write);
    const after = kind === 'Delete' || !isWanted ? undefined : this.#afterwards(kind, write, before, key);
    return { table, key, before, after, isCheck, write };
  }

  #afterwards(kind: string, write: Write, before: Item | undefined, key: string): Item | undefined {
    if (kind === 'Put') return write.Item;
    if (kind !== 'Update') return before;
    return updated(write.UpdateExpression, before ?? { [keyName]: { S: key } }, write);
  }

  #hasRoom({ table, key, before, after, isCheck }: Step, times: number): boolean {
    const units = times * Math.max(writeUnits(before), writeUnits(after));
    if (!table.capacity.canWrite(key, units)) return false;
    // An index that can't follow holds up its table.
    return isCheck || table.indexWrites(before, after).every((hash) => table.indexCapacity.canWrite(hash, 1));
  }

  #pay({ table, key, before, after }: Step, times: number): void {
    const units = times * Math.max(writeUnits(before), writeUnits(after));
    table.capacity.write(key, units);
    this.#meter.wrote(units);
  }

  #apply({ table, key, before, after, isCheck }: Step): void {
    if (isCheck) return;
    for (const hash of table.indexWrites(before, after)) {
      table.indexCapacity.write(hash, 1);
      this.#meter.wroteIndex(1);
    }
    if (after) table.put(after);
    else table.delete(key);
  }

  #remember(token: string): void {
    this.#tokens.add(token);
    if (this.#tokens.size <= maxTokens) return;
    for (const oldest of this.#tokens) {
      this.#tokens.delete(oldest);
      break;
    }
  }
}

const maxTokens = 100_000;

function cancelled(reasons: readonly { readonly Code: string }[]): Failure {
  const codes = reasons.map(({ Code }) => Code).join(', ');
  return new Failure('TransactionCanceledException', `Transaction cancelled [${codes}]`, {
    CancellationReasons: reasons,
  });
}
