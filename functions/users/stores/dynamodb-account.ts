import type { Account, UserKey } from '../store.ts';
import { mailKeys } from './dynamodb-addresses.ts';
import { accountOf, mailKey, nameKey, userKey } from './dynamodb-items.ts';
import type { SharedReads } from './dynamodb-reads.ts';

const attributes = 'pk, username, userId, email, passwordHash, createdAtMs, etag';

/** No user has this id. */
const nobodysId = 0;

/**
 * Reads all that is kept of a user: by id in one request, by name or address in two. A user who is not there takes as
 * many.
 *
 * @throws StoreError when DynamoDB leaves out the item again and again; the client's errors
 */
export async function readAccount(
  reads: Pick<SharedReads, 'read'>,
  key: UserKey,
  signal: AbortSignal,
): Promise<Account | undefined> {
  const pk = 'userId' in key ? userKey(key.userId) : userKey(await ownerOf(reads, key, signal));
  const item = (await reads.read([pk], signal, attributes)).get(pk);
  const account = item && accountOf(item);
  // If the user was renamed between the two reads, nobody had the name for a moment.
  return account && isCalled(account, key) ? account : undefined;
}

async function ownerOf(
  reads: Pick<SharedReads, 'read'>,
  key: Exclude<UserKey, { userId: number }>,
  signal: AbortSignal,
): Promise<number> {
  const keys = 'username' in key ? [nameKey(key.username)] : mailKeys(key.email);
  const items = await reads.read(keys, signal);
  const owners = keys.map((pk) => Number(items.get(pk)?.userId?.N ?? nobodysId));
  return owners.find((owner) => owner !== nobodysId) ?? nobodysId;
}

function isCalled({ username, email }: Account, key: UserKey): boolean {
  if ('username' in key) return nameKey(username) === nameKey(key.username);
  if ('email' in key) return email !== undefined && mailKey(email) === mailKey(key.email);
  return true;
}
