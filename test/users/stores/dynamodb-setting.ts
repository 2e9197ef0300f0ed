import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { limits } from '../../../functions/limits.ts';
import { StoreError, type UserStore } from '../../../functions/users/store.ts';
import { openDynamoStore } from '../../../functions/users/stores/dynamodb.ts';
import { type DynamoProxy, dynamoProxy } from './dynamodb-proxy.ts';
import { type TestTable, testTable } from './dynamodb-table.ts';

/** The endpoint that the tests use, if there is one. */
export const endpoint = process.env.DYNAMODB_ENDPOINT;

/** Defines a test that says why there are none, and fails where REQUIRE_DYNAMODB=1 asks for them. */
export function withoutEndpoint(name: string): void {
  const reason = 'DYNAMODB_ENDPOINT is not set: eval "$(.ci/dynamodb start)" sets it';
  test(name, (context) => {
    assert.notEqual(process.env.REQUIRE_DYNAMODB, '1', reason);
    context.skip(reason);
  });
}

/** A store that reaches an empty table through a proxy. */
export interface Setting {
  readonly store: UserStore;
  readonly proxy: DynamoProxy;
  readonly table: TestTable;
  /** How often the store has sent a request again, and was throttled. */
  readonly events: { retries: number; throttles: number };
}

/** Defines a test of a store behind a proxy. */
export function withProxy(
  endpoint: string,
  name: string,
  use: (setting: Setting) => Promise<void>,
  options = limits,
): void {
  test(`DynamoDB store: ${name}`, async () => {
    const table = await testTable(endpoint);
    const proxy = await dynamoProxy(endpoint);
    const events = { retries: 0, throttles: 0 };
    const store = await openDynamoStore({
      table: table.name,
      endpoint: proxy.url,
      limits: options,
      events: {
        retried() {
          events.retries += 1;
        },
        throttled() {
          events.throttles += 1;
        },
        readFor() {},
      },
    });
    proxy.seen.clear();
    try {
      await use({ store, proxy, table, events });
    } finally {
      proxy.fault = () => 'pass';
      await store.close();
      await proxy.close();
      await table.remove();
    }
  });
}

/** All items of the table, by key. */
export async function itemsOf({ client, name }: TestTable): Promise<Record<string, unknown>[]> {
  const { Items = [] } = await client.send(new ScanCommand({ TableName: name }));
  return Items.map((item) =>
    Object.fromEntries(Object.entries(item).map(([name, { S, N }]) => [name, S ?? Number(N)])),
  ).sort((a, b) => String(a.pk).localeCompare(String(b.pk)));
}

/** Whether an error is a StoreError of this kind, in one line. */
export function failsWith(pattern: RegExp, retrySafe: boolean): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof StoreError);
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n/);
    assert.equal(error.retrySafe, retrySafe);
    return true;
  };
}

/** Users that the tests sign up and look for. */
export const users = Array.from({ length: 100 }, (_, i) => ({ username: `User-${i}`, userId: i + 1 }));
export const wanted = users.map(({ username }) => ({ username, userId: 0 }));
export const ann = { username: 'Ann', userId: 7 };
export const request = { id: 'r1', fingerprint: 'f', expiresAtMs: Date.now() + 60_000 };
