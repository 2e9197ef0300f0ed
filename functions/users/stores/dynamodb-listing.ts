import type { Listing, Page, StoredUser } from '../store.ts';
import { initials, userOf } from './dynamodb-items.ts';
import type { DynamoTable } from './dynamodb-table.ts';

const keyPrefix = 'NAME#';

/**
 * Less, and greater, than all that names are made of: `-` `.` `0-9` `_` `a-z`, in the order of UTF-8 that keys have.
 */
const least = '!';
const greatest = '~';

/**
 * Reads one page from the index of names: with a prefix from one of its partitions, else from one after the other, each
 * by a request at most. Few users without a prefix take a request for each of the 36 partitions.
 *
 * @throws the client's errors
 */
export async function listNames(
  table: Pick<DynamoTable, 'readNames'>,
  { prefix, after, maxUsers }: Listing,
  signal: AbortSignal,
): Promise<Page> {
  const users: StoredUser[] = [];
  for (const initial of initials) {
    const begin = prefix || initial;
    // `after` itself is not wanted, and DynamoDB has no range without its ends.
    const from = after < begin ? begin : after + least;
    const to = begin + greatest;
    if (!begin.startsWith(initial) || from > to) continue;
    const range = { initial, from: keyPrefix + from, to: keyPrefix + to, maxItems: maxUsers - users.length };
    const { items, lastKey } = await table.readNames(range, signal);
    for (const item of items) {
      const user = userOf(item);
      if (user) users.push(user);
    }
    if (lastKey !== undefined) return { users, next: lastKey.slice(keyPrefix.length) };
    if (users.length >= maxUsers) return { users, next: to };
  }
  return { users };
}
