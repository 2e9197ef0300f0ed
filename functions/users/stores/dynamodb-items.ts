import { Buffer } from 'node:buffer';
import { type Account, firstEtag, type RequestKey, type StoredUser, type Wanted } from '../store.ts';
import type { Attributes, AttributeValue } from './dynamodb-api.ts';
import { folded } from './folded.ts';

/**
 * The items of the table, whose only key is `pk`:
 *
 * | pk | holds |
 * |---|---|
 * | `USER#<user_id>` | username, userId, email, passwordHash, createdAtMs, etag |
 * | `NAME#<user name, folded>` | username, userId: all that GetUsers answers, so that one read is enough; initial |
 * | `MAIL#<e-mail, folded>` | userId |
 * | `REQ#<request id>` | userId, fingerprint, expiresAt (seconds: the table's TTL attribute); of a sign-up, username |
 *
 * Of a user who was removed, `NAME#` and `MAIL#` stay as holds for a while: `heldUntilMs`, and `expiresAt` for TTL.
 *
 * Version 1 runs beside this one during a deployment. It writes neither createdAtMs nor etag nor initial. It reads
 * username and userId of `NAME#` and `REQ#`, and fails without them: so a hold has an empty name and the id zero, which
 * it answers GetUsers with, and the `REQ#` of a sign-up keeps its username.
 */
export type Item = Attributes;

/**
 * The index that lists users: its partition key is `initial`, its sort key `pk`, and it has username and userId. Only
 * `NAME#` items of users have an `initial`.
 */
export const nameIndex = 'users-by-name';

/** What a name, folded, may begin with, in order: the partitions of the index. */
export const initials = [...'0123456789abcdefghijklmnopqrstuvwxyz'];

/**
 * A key of DynamoDB has at most 2048 bytes:
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
const maxKeyBytes = 2048;

/** The key of the item with all that is kept of a user. */
export const userKey = (userId: number): string => `USER#${userId}`;
/** The key of the item that is there once the user name is taken. */
export const nameKey = (username: string): string => `NAME#${folded(username)}`;
/** The key of the item that is there once the e-mail address is taken. */
export const mailKey = (email: string): string => `MAIL#${folded(email)}`;
/** The key of the item that is there while the request id is known, and for a while after. */
export const requestKey = (id: string): string => `REQ#${id}`;

/** Whether an item can have this key: it is text, and not too long. A character of JavaScript has 3 bytes at most. */
export const isKey = (key: string): boolean =>
  key.isWellFormed() && (3 * key.length <= maxKeyBytes || Buffer.byteLength(key) <= maxKeyBytes);

/** A number as an attribute. */
export const numeric = (value: number): AttributeValue => ({ N: String(value) });

/** The time from which on a request id that expires then, in seconds, may be forgotten. */
export const expirySeconds = (nowMs: number): number => Math.floor(nowMs / 1000);

/** The item of a user's name. */
export function nameItem({ username, userId }: StoredUser): Item {
  const pk = nameKey(username);
  return {
    pk: { S: pk },
    username: { S: username },
    userId: numeric(userId),
    initial: { S: initialOf(pk) },
  };
}

/** The partition of the index that a `NAME#` item belongs to. */
export const initialOf = (pk: string): string => pk.charAt('NAME#'.length);

/** The item of a user's e-mail address. */
export const mailItem = (email: string, userId: number): Item => ({
  pk: { S: mailKey(email) },
  userId: numeric(userId),
});

/** The item with all that is kept of a user. */
export function userItem({ username, userId, email, passwordHash, createdAtMs, etag }: Account): Item {
  return {
    pk: { S: userKey(userId) },
    username: { S: username },
    userId: numeric(userId),
    ...(email !== undefined && { email: { S: email } }),
    ...(passwordHash !== undefined && { passwordHash: { S: passwordHash } }),
    ...(createdAtMs !== undefined && { createdAtMs: numeric(createdAtMs) }),
    ...(etag !== firstEtag && { etag: { S: etag } }),
  };
}

/** The item that remembers a request id. */
export const requestItem = ({ id, fingerprint, expiresAtMs }: RequestKey, userId: number): Item => ({
  pk: { S: requestKey(id) },
  userId: numeric(userId),
  fingerprint: { S: fingerprint },
  expiresAt: numeric(Math.ceil(expiresAtMs / 1000)),
});

/** The item that keeps a name or an address taken. */
export const holdItem = (pk: string, heldUntilMs: number): Item => ({
  pk: { S: pk },
  username: { S: '' },
  userId: numeric(0),
  heldUntilMs: numeric(heldUntilMs),
  expiresAt: numeric(Math.ceil(heldUntilMs / 1000)),
});

/** Whether the request id of an item is still remembered. TTL deletes the item within days, not at once. */
export function isKnown(item: Item, nowMs: number): boolean {
  return Number(item.expiresAt?.N) > expirySeconds(nowMs);
}

/** Whether the name or the address of an item is taken: by a user, or by a hold that has not ended. */
export function isTaken(item: Item | undefined, nowMs: number): boolean {
  if (item === undefined) return false;
  return item.heldUntilMs === undefined || Number(item.heldUntilMs.N) > nowMs;
}

/** The key of the item that says who a wanted user is. */
export function keyOf(wanted: Wanted): string {
  return wanted.username === '' ? userKey(wanted.userId) : nameKey(wanted.username);
}

/** Reads the user from a `USER#` or a `NAME#` item; a hold is none. */
export function userOf(item: Item): StoredUser | undefined {
  if (item.heldUntilMs !== undefined) return undefined;
  const username = item.username?.S;
  const userId = item.userId?.N;
  if (username === undefined || userId === undefined) throw new Error(`item ${item.pk?.S} holds no user`);
  return { username, userId: Number(userId) };
}

/** Reads all that is kept of a user from its `USER#` item. */
export function accountOf(item: Item): Account | undefined {
  const createdAtMs = item.createdAtMs?.N;
  const user = userOf(item);
  return (
    user && {
      ...user,
      email: item.email?.S,
      passwordHash: item.passwordHash?.S,
      createdAtMs: createdAtMs === undefined ? undefined : Number(createdAtMs),
      etag: item.etag?.S ?? firstEtag,
    }
  );
}
