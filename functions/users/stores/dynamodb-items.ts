import { Buffer } from 'node:buffer';
import type { AttributeValue, CancellationReason, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { SignUp, SignUpResult, StoredUser, Wanted } from '../store.ts';
import { folded } from './folded.ts';

/**
 * The items of the table, whose only key is `pk`:
 *
 * | pk | holds |
 * |---|---|
 * | `USER#<user_id>` | username, userId, email, passwordHash |
 * | `NAME#<user name, folded>` | username, userId: all that GetUsers answers, so that one read is enough |
 * | `MAIL#<e-mail, folded>` | userId |
 * | `REQ#<request id>` | username, userId, fingerprint, expiresAt (seconds: the table's TTL attribute) |
 */
export type Item = Record<string, AttributeValue>;

/**
 * A key of DynamoDB has at most 2048 bytes:
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
const maxKeyBytes = 2048;

/** The key of the item that is there once the user name is taken. */
export const nameKey = (username: string): string => `NAME#${folded(username)}`;
/** The key of the item that is there once the e-mail address is taken. */
export const mailKey = (email: string): string => `MAIL#${folded(email)}`;
/** The key of the item that is there while the request id is known, and for a while after. */
export const requestKey = (id: string): string => `REQ#${id}`;

/** The time from which on a request id that expires then, in seconds, may be forgotten. */
const expirySeconds = (nowMs: number): number => Math.floor(nowMs / 1000);

/** Whether the request id of an item is still remembered. TTL deletes the item within days, not at once. */
export function isKnown(item: Item, nowMs: number): boolean {
  return Number(item.expiresAt?.N) > expirySeconds(nowMs);
}

/** The key of the item that says who a wanted user is; `undefined` if no such user can exist. */
export function keyOf(wanted: Wanted): string | undefined {
  const key = wanted.username === '' ? `USER#${wanted.userId}` : nameKey(wanted.username);
  return Buffer.byteLength(key) <= maxKeyBytes ? key : undefined;
}

/** Reads the user from an item of any kind but `MAIL#`. */
export function userOf(item: Item): StoredUser {
  const username = item.username?.S;
  const userId = item.userId?.N;
  if (username === undefined || userId === undefined) throw new Error(`item ${item.pk?.S} holds no user`);
  return { username, userId: Number(userId) };
}

/** One write of a sign-up's transaction, and what it means if its condition fails. */
export interface SignUpWrite {
  readonly write: TransactWriteItem;
  readonly refused: (reason: CancellationReason) => SignUpResult;
}

/** The writes of a sign-up in the order in which the store decides. */
export function signUpWrites(table: string, signUp: SignUp, nowMs: number): readonly SignUpWrite[] {
  const { username, userId, email, passwordHash, request } = signUp;
  const user: Item = { username: { S: username }, userId: { N: String(userId) } };
  const writes: SignUpWrite[] = [];
  if (request) {
    const item: Item = {
      ...user,
      pk: { S: requestKey(request.id) },
      fingerprint: { S: request.fingerprint },
      expiresAt: { N: String(Math.ceil(request.expiresAtMs / 1000)) },
    };
    writes.push({
      write: {
        Put: {
          TableName: table,
          Item: item,
          // As `isKnown` has it.
          ConditionExpression: 'attribute_not_exists(pk) OR expiresAt <= :now',
          ExpressionAttributeValues: { ':now': { N: String(expirySeconds(nowMs)) } },
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        },
      },
      refused: ({ Item: first = {} }) =>
        first.fingerprint?.S === request.fingerprint
          ? { outcome: 'repeated', user: userOf(first) }
          : { outcome: 'request_id_reused' },
    });
  }
  const add = (item: Item, outcome: 'username_taken' | 'email_taken' | 'user_id_taken'): void => {
    const condition = 'attribute_not_exists(pk)';
    writes.push({
      write: { Put: { TableName: table, Item: item, ConditionExpression: condition } },
      refused: () => ({ outcome }),
    });
  };
  add({ ...user, pk: { S: nameKey(username) } }, 'username_taken');
  if (email !== undefined) {
    add({ userId: { N: String(userId) }, pk: { S: mailKey(email) } }, 'email_taken');
  }
  const secret: Item = passwordHash === undefined ? {} : { passwordHash: { S: passwordHash } };
  const contact: Item = email === undefined ? {} : { email: { S: email } };
  add({ ...user, ...contact, ...secret, pk: { S: `USER#${userId}` } }, 'user_id_taken');
  return writes;
}
