/** An attribute of an item: text, or a number in decimal. The store has no others. */
export interface AttributeValue {
  readonly S?: string | undefined;
  readonly N?: string | undefined;
}

/** The attributes of an item by their names. */
export type Attributes = Record<string, AttributeValue>;

/** A condition of a write. */
interface Condition {
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeValues?: Attributes;
  readonly ReturnValuesOnConditionCheckFailure?: 'ALL_OLD' | 'NONE';
}

/** A write of an item that is there. */
interface KeyedWrite extends Condition {
  readonly TableName: string;
  readonly Key: Attributes;
}

/** One write of a transaction. */
export interface TransactWriteItem {
  readonly Put?: Condition & { readonly TableName: string; readonly Item: Attributes };
  readonly Update?: KeyedWrite & { readonly UpdateExpression: string };
  readonly Delete?: KeyedWrite;
  readonly ConditionCheck?: KeyedWrite;
}

/** Why a transaction was cancelled: for each of its writes, `None` for those that did not stand in the way. */
export interface CancellationReason {
  readonly Code?: string | undefined;
  /** The item as it is, where the write asked for it. */
  readonly Item?: Attributes | undefined;
}

/** Keys of a table's items, and what to read of each. */
export interface KeysAndAttributes {
  readonly Keys: readonly Attributes[];
  readonly ConsistentRead?: boolean;
  readonly ProjectionExpression?: string;
}

/** What a scan reads. */
export interface ScanInput {
  readonly TableName: string;
  readonly ConsistentRead?: boolean;
  readonly Limit?: number;
  readonly FilterExpression?: string;
  readonly ExpressionAttributeValues?: Attributes;
  readonly ExclusiveStartKey?: Attributes | undefined;
}

/** A page of items. */
export interface ItemPage {
  readonly Items?: Attributes[];
  readonly LastEvaluatedKey?: Attributes;
}

/**
 * The actions that the store uses, as far as it uses them:
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
 */
export interface Actions {
  BatchGetItem: {
    input: { readonly RequestItems: Readonly<Record<string, KeysAndAttributes>> };
    output: {
      readonly Responses?: Readonly<Record<string, Attributes[]>>;
      readonly UnprocessedKeys?: Readonly<Record<string, KeysAndAttributes>>;
    };
  };
  TransactWriteItems: {
    input: {
      readonly TransactItems: readonly TransactWriteItem[];
      /** Of two requests with the same token within ten minutes, the second changes nothing and succeeds too. */
      readonly ClientRequestToken: string;
    };
    output: object;
  };
  UpdateItem: {
    input: KeyedWrite & { readonly UpdateExpression: string };
    output: object;
  };
  Query: {
    input: {
      readonly TableName: string;
      readonly IndexName: string;
      readonly KeyConditionExpression: string;
      readonly ExpressionAttributeValues: Attributes;
      readonly Limit: number;
    };
    output: ItemPage;
  };
  Scan: { input: ScanInput; output: ItemPage };
  DescribeTable: {
    input: { readonly TableName: string };
    output: {
      readonly Table?: { readonly GlobalSecondaryIndexes?: readonly { readonly IndexName?: string }[] };
    };
  };
}

/** The name of an action. */
export type Action = keyof Actions;

/** DynamoDB has answered that it has not done what it was asked for, or may not have. */
export class DynamoError extends Error {
  /** Such as `ValidationException`, or the status where the answer has no type. */
  override readonly name: string;
  /** The HTTP status. From 500 on the fault is DynamoDB's, and a write may have happened. */
  readonly status: number;
  /** What DynamoDB's clock says, in ms since the epoch; NaN if it does not. */
  readonly atMs: number;
  /** Of a transaction that was cancelled. */
  readonly reasons: readonly CancellationReason[];
  /** Whether an attempt before, of the same request, may have been carried out: nobody knows. */
  followsUnknown = false;

  constructor(
    name: string,
    message: string,
    more: { status: number; atMs?: number; reasons?: readonly CancellationReason[] },
  ) {
    super(message);
    this.name = name;
    this.status = more.status;
    this.atMs = more.atMs ?? Number.NaN;
    this.reasons = more.reasons ?? [];
  }
}

/** Whether a transaction was cancelled, for the reasons that the error has. */
export function isCancelled(error: unknown): error is DynamoError {
  return error instanceof DynamoError && error.name === 'TransactionCanceledException';
}
