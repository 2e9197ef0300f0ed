import type { Account } from '../store.ts';
import { mailKey } from './dynamodb-items.ts';
import type { SharedReads } from './dynamodb-reads.ts';

/**
 * The keys of the items by which an address may be taken: its own, and, where version 1 folded it otherwise, that of
 * version 1 too. `users upgrade` moves the latter to the former.
 */
export function mailKeys(email: string): readonly [string, ...string[]] {
  const key = mailKey(email);
  const former = `MAIL#${email.normalize('NFC').toLowerCase().replaceAll('ς', 'σ')}`;
  return former === key ? [key] : [key, former];
}

/**
 * The key of the item that says that an address is this user's. It costs a read for those few addresses which version 1
 * folded otherwise.
 *
 * @throws StoreError when DynamoDB leaves out the item again and again; the client's errors
 */
export async function ownMailKey(
  reads: Pick<SharedReads, 'read'>,
  { userId, email }: Account,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (email === undefined) return undefined;
  const keys = mailKeys(email);
  if (keys.length === 1) return keys[0];
  const items = await reads.read(keys, signal);
  return keys.find((key) => Number(items.get(key)?.userId?.N) === userId) ?? keys[0];
}
