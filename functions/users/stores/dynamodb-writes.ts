import {
  type Account,
  type Change,
  type ChangeResult,
  firstEtag,
  type Removal,
  type RequestKey,
  type SignUp,
  type SignUpResult,
} from '../store.ts';
import { mailKeys } from './dynamodb-addresses.ts';
import type { CancellationReason, TransactWriteItem } from './dynamodb-api.ts';
import {
  expirySeconds,
  holdItem,
  type Item,
  mailItem,
  mailKey,
  nameItem,
  nameKey,
  numeric,
  requestItem,
  userItem,
  userKey,
} from './dynamodb-items.ts';

/** One write of a transaction, and what it means if its condition fails. */
export interface ConditionalWrite<Refused> {
  readonly write: TransactWriteItem;
  readonly refused: (reason: CancellationReason) => Refused;
}

/** When transactions are made, and of which table. */
export interface WriteContext {
  readonly table: string;
  readonly nowMs: number;
}

/** The writes of a sign-up in the order in which the store decides. */
export function signUpWrites(
  signUp: SignUp,
  context: WriteContext,
): readonly ConditionalWrite<SignUpResult>[] {
  const { username, userId, email, request, etag = firstEtag } = signUp;
  const writes: ConditionalWrite<SignUpResult>[] = [];
  if (request) {
    const remember = remembering(request, userId, context, { username: { S: username } });
    writes.push({
      write: remember,
      refused: ({ Item: first = {} }) =>
        first.fingerprint?.S === request.fingerprint
          ? { outcome: 'repeated', user: { username, userId: Number(first.userId?.N) } }
          : { outcome: 'request_id_reused' },
    });
  }
  writes.push({ write: taking(nameItem(signUp), context), refused: () => ({ outcome: 'username_taken' }) });
  for (const write of email === undefined ? [] : takingMail(email, userId, context))
    writes.push({ write, refused: () => ({ outcome: 'email_taken' }) });
  const user = { Item: userItem({ ...signUp, etag }), ConditionExpression: 'attribute_not_exists(pk)' };
  writes.push({
    write: { Put: { TableName: context.table, ...user } },
    refused: () => ({ outcome: 'user_id_taken' }),
  });
  return writes;
}

/** The user as it is after a change, if it was as it was read. */
export function changedAccount({ from, etag, username, email, passwordHash }: Change): Account {
  return {
    ...from,
    etag,
    username: username ?? from.username,
    email: email === undefined ? from.email : (email ?? undefined),
    passwordHash: passwordHash === undefined ? from.passwordHash : (passwordHash ?? undefined),
  };
}

/**
 * The writes of a change in the order in which the store decides.
 *
 * @param mail the key of the address that the user has, from `ownMailKey`
 */
export function changeWrites(
  change: Change,
  mail: string | undefined,
  context: WriteContext,
): readonly ConditionalWrite<ChangeResult>[] {
  const { from, request } = change;
  const { userId } = from;
  const after = changedAccount(change);
  const writes: ConditionalWrite<ChangeResult>[] = [];
  const add = (write: TransactWriteItem, outcome: Exclude<ChangeResult['outcome'], 'changed'>): void => {
    writes.push({ write, refused: () => ({ outcome }) });
  };
  if (request) add(remembering(request, userId, context), 'request_id_known');
  add(updating(change, context), 'outdated');
  const [name, nextName] = [nameKey(from.username), nameKey(after.username)];
  const [oldMail, nextMail] = [from.email, after.email].map((email) => email && mailKey(email));
  const isOther = nextMail !== oldMail;
  if (nextName !== name) add(taking(nameItem(after), context), 'username_taken');
  else if (after.username !== from.username) add(replacing(nameItem(after), from, context), 'outdated');
  if (after.email !== undefined && isOther)
    for (const write of takingMail(after.email, userId, context)) add(write, 'email_taken');
  if (nextName !== name) add(deleting(name, from, context), 'outdated');
  if (mail !== undefined && isOther) add(deleting(mail, from, context), 'outdated');
  return writes;
}

/** The writes of a removal. `mail` is the key of the user's address, from `ownMailKey`. */
export function removalWrites(
  { from, heldUntilMs }: Removal,
  mail: string | undefined,
  context: WriteContext,
): readonly ConditionalWrite<false>[] {
  const leave = (pk: string) =>
    heldUntilMs > context.nowMs
      ? replacing(holdItem(pk, heldUntilMs), from, context)
      : deleting(pk, from, context);
  const user = { TableName: context.table, Key: { pk: { S: userKey(from.userId) } }, ...asRead(from) };
  const writes = [{ Delete: user }, leave(nameKey(from.username))];
  if (mail !== undefined) writes.push(leave(mail));
  return writes.map((write) => ({ write, refused: () => false }));
}

/** Remembers a request id that is not known, in the sense of `isKnown`. */
function remembering(
  request: RequestKey,
  userId: number,
  { table, nowMs }: WriteContext,
  more: Item = {},
): TransactWriteItem {
  return {
    Put: {
      TableName: table,
      Item: { ...requestItem(request, userId), ...more },
      ConditionExpression: 'attribute_not_exists(pk) OR expiresAt <= :now',
      ExpressionAttributeValues: { ':now': numeric(expirySeconds(nowMs)) },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
  };
}

/** The condition that a name or an address is free, in the sense of `isTaken`. */
const free = ({ nowMs }: WriteContext) => ({
  ConditionExpression: 'attribute_not_exists(pk) OR heldUntilMs <= :now',
  ExpressionAttributeValues: { ':now': numeric(nowMs) },
});

function taking(item: Item, context: WriteContext): TransactWriteItem {
  return { Put: { TableName: context.table, Item: item, ...free(context) } };
}

function takingMail(email: string, userId: number, context: WriteContext): TransactWriteItem[] {
  const [, ...former] = mailKeys(email);
  const checks = former.map((pk) => ({
    ConditionCheck: { TableName: context.table, Key: { pk: { S: pk } }, ...free(context) },
  }));
  return [taking(mailItem(email, userId), context), ...checks];
}

/** The writes that move a user's address from the key of version 1 to that of this one. */
export function movingMail(
  { from, to, userId }: { readonly from: string; readonly to: string; readonly userId: number },
  context: WriteContext,
): readonly ConditionalWrite<'taken' | 'gone'>[] {
  const item = { pk: { S: to }, userId: numeric(userId) };
  return [
    { write: deleting(from, { userId }, context), refused: () => 'gone' },
    { write: taking(item, context), refused: () => 'taken' },
  ];
}

/** The condition that a name or an address is this user's. */
const owned = ({ userId }: Pick<Account, 'userId'>) => ({
  ConditionExpression: 'userId = :id',
  ExpressionAttributeValues: { ':id': numeric(userId) },
});

function replacing(item: Item, owner: Account, { table }: WriteContext): TransactWriteItem {
  return { Put: { TableName: table, Item: item, ...owned(owner) } };
}

function deleting(pk: string, owner: Pick<Account, 'userId'>, { table }: WriteContext): TransactWriteItem {
  return { Delete: { TableName: table, Key: { pk: { S: pk } }, ...owned(owner) } };
}

/** The condition that a user is as it was read. */
function asRead({ etag }: Account) {
  const isSame = 'etag = :read';
  const isFirst = `attribute_exists(pk) AND (attribute_not_exists(etag) OR ${isSame})`;
  return {
    ConditionExpression: etag === firstEtag ? isFirst : isSame,
    ExpressionAttributeValues: { ':read': { S: etag } },
  };
}

/** Changes what is to change, and nothing else: a hash that was made anew meanwhile stays. */
function updating(
  { from, etag, username, email, passwordHash }: Change,
  { table }: WriteContext,
): TransactWriteItem {
  const { ConditionExpression, ExpressionAttributeValues } = asRead(from);
  const sets = ['etag = :etag'];
  const removes: string[] = [];
  const values: Item = { ...ExpressionAttributeValues, ':etag': { S: etag } };
  for (const [name, value] of Object.entries({ username, email, passwordHash })) {
    if (value === undefined) continue;
    if (value === null) removes.push(name);
    else {
      sets.push(`${name} = :${name}`);
      values[`:${name}`] = { S: value };
    }
  }
  const remove = removes.length > 0 ? ` REMOVE ${removes.join(', ')}` : '';
  return {
    Update: {
      TableName: table,
      Key: { pk: { S: userKey(from.userId) } },
      UpdateExpression: `SET ${sets.join(', ')}${remove}`,
      ConditionExpression,
      ExpressionAttributeValues: values,
    },
  };
}
