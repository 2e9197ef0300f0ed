import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { paginateScan } from '@aws-sdk/client-dynamodb';
import {
  accountOf,
  type Item,
  mailItem,
  mailKey,
  nameItem,
  nameKey,
} from '../../functions/users/stores/dynamodb-items.ts';
import type { TestTable } from '../users/stores/dynamodb-table.ts';
import type { Kept } from './kept.ts';

/**
 * Reads the table once it is at rest: what a server had sent when it was killed may still come to be, and a scan is no
 * snapshot. Fails where items do not belong together: a user has its name and its address, and each of these its user
 * or a hold.
 */
export async function keptInDynamo(table: TestTable): Promise<Kept> {
  let items = await scan(table);
  for (let before: typeof items | undefined; !isDeepStrictEqual(items, before); ) {
    await delay(20);
    before = items;
    items = await scan(table);
  }
  const users = new Map<number, NonNullable<ReturnType<typeof accountOf>>>();
  const holds = new Set<string>();
  const requests = new Map<string, number>();
  const owned = new Set<string>();
  for (const [pk, item] of items) {
    const id = pk.slice(pk.indexOf('#') + 1);
    const userId = Number(item.userId?.N);
    if (pk.startsWith('REQ#')) requests.set(id, userId);
    else if (pk.startsWith('USER#')) users.set(Number(id), accountOf(item) ?? assert.fail(`${pk} is nobody`));
    else if (item.heldUntilMs) holds.add(`${pk.startsWith('NAME#') ? 'name' : 'email'} ${id}`);
    else owned.add(pk);
  }
  for (const [userId, user] of users) {
    assert.equal(user.userId, userId);
    assert.deepEqual(items.get(nameKey(user.username)), nameItem(user));
    owned.delete(nameKey(user.username));
    if (user.email === undefined) continue;
    assert.deepEqual(items.get(mailKey(user.email)), mailItem(user.email, userId));
    owned.delete(mailKey(user.email));
  }
  assert.deepEqual([...owned], [], 'each name and address is of a user who has it');
  return { users, holds, requests };
}

async function scan({ client, name }: TestTable): Promise<ReadonlyMap<string, Item>> {
  const items = new Map<string, Item>();
  for await (const { Items = [] } of paginateScan({ client }, { TableName: name, ConsistentRead: true })) {
    for (const item of Items) items.set(item.pk?.S ?? '', item);
  }
  return items;
}
