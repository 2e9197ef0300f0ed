// Proves that the bench's double of DynamoDB is one as far as the store goes: the store keeps its contract on it, it
// refuses what DynamoDB refuses, its partitions give what they have and no more, and it counts what it is asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BatchGetItemCommand,
  DynamoDBClient,
  PutItemCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { openDouble } from '../../bench/stores/double/server.ts';
import { openDynamoStore } from '../../functions/users/stores/dynamodb.ts';
import { storeContract } from '../users/stores/contract.ts';
import { testTable } from '../users/stores/dynamodb-table.ts';

process.env.AWS_ACCESS_KEY_ID = 'test';
process.env.AWS_SECRET_ACCESS_KEY = 'test';
process.env.AWS_REGION = 'us-east-1';

storeContract({
  // The contract allows more to a store of this name.
  name: 'DynamoDB',
  fixture: async () => {
    const double = await openDouble([]);
    const table = await testTable(double.url);
    return {
      open: (now) => openDynamoStore({ table: table.name, endpoint: double.url, now }),
      async remove() {
        await table.remove();
        await double.close();
      },
    };
  },
  shared: true,
  usersToRead: 1000,
});

/** A client of a double with the table `users`, whose time stands still until a test moves it. */
async function withDouble(
  use: (setting: { double: Awaited<ReturnType<typeof openDouble>>; client: DynamoDBClient }) => Promise<void>,
  nowMs = () => 0,
): Promise<void> {
  const double = await openDouble(['users'], 0, nowMs);
  const client = new DynamoDBClient({ endpoint: double.url, maxAttempts: 1 });
  try {
    await use({ double, client });
  } finally {
    client.destroy();
    await double.close();
  }
}

const keyOf = (pk: string) => ({ pk: { S: pk } });
const reading = (...keys: string[]) =>
  new BatchGetItemCommand({ RequestItems: { users: { Keys: keys.map(keyOf), ConsistentRead: true } } });
const keys = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `K${from + at}`);
const putNew = (pk: string) => ({
  Put: { TableName: 'users', Item: keyOf(pk), ConditionExpression: 'attribute_not_exists(pk)' },
});

test('it refuses what DynamoDB refuses', () =>
  withDouble(async ({ client }) => {
    await assert.rejects(client.send(reading('a', 'a')), { name: 'ValidationException' });
    await assert.rejects(client.send(reading(...keys(101))), { name: 'ValidationException' });
    const twice = new TransactWriteItemsCommand({ TransactItems: [putNew('a'), putNew('a')] });
    await assert.rejects(client.send(twice), { name: 'ValidationException' });
    const elsewhere = new PutItemCommand({ TableName: 'nowhere', Item: keyOf('a') });
    await assert.rejects(client.send(elsewhere), { name: 'ResourceNotFoundException' });
  }));

test('all writes of a transaction are made or none, and a repeat of one that was made is none', () =>
  withDouble(async ({ client, double }) => {
    await client.send(new PutItemCommand({ TableName: 'users', Item: keyOf('b') }));
    const taken = new TransactWriteItemsCommand({ TransactItems: [putNew('a'), putNew('b')] });
    await assert.rejects(client.send(taken), (error: { CancellationReasons?: { Code?: string }[] }) => {
      assert.deepEqual(
        error.CancellationReasons?.map(({ Code }) => Code),
        ['None', 'ConditionalCheckFailed'],
      );
      return true;
    });
    assert.deepEqual((await client.send(reading('a', 'b'))).Responses?.users, [keyOf('b')]);
    const once = { TransactItems: [putNew('a'), putNew('c')], ClientRequestToken: 'the same' };
    await client.send(new TransactWriteItemsCommand(once));
    await client.send(new TransactWriteItemsCommand(once));
    const { requests, writeUnits, readUnits } = double.counts();
    assert.deepEqual(requests, { PutItem: 1, TransactWriteItems: 3, BatchGetItem: 1 });
    assert.deepEqual([readUnits, writeUnits], [2, 1 + 2 * 2 + 2 * 2]);
  }));

test('a partition gives what it has, and by the second what it gets', () => {
  let nowMs = 0;
  return withDouble(
    async ({ client, double }) => {
      double.set({ partitions: 1, partitionReadUnits: 100, partitionWriteUnits: 4 });
      await client.send(reading(...keys(60)));
      const { UnprocessedKeys } = await client.send(reading(...keys(60, 100)));
      assert.equal(UnprocessedKeys?.users?.Keys?.length, 20);
      await assert.rejects(client.send(reading('a')), { name: 'ProvisionedThroughputExceededException' });
      nowMs += 500;
      assert.deepEqual((await client.send(reading(...keys(50)))).UnprocessedKeys, {});
      const write = (pk: string) =>
        client.send(new TransactWriteItemsCommand({ TransactItems: [putNew(pk)] }));
      await write('a');
      await write('b');
      await assert.rejects(write('c'), /ThrottlingError/);
      nowMs += 500;
      await write('c');
    },
    () => nowMs,
  );
});

test('what is to go wrong does, in turns', () =>
  withDouble(async ({ client, double }) => {
    double.set({ throttleEvery: 2, leaveOutEvery: 3 });
    const { UnprocessedKeys } = await client.send(reading('a', 'b', 'c'));
    assert.deepEqual(UnprocessedKeys?.users?.Keys, [keyOf('c')]);
    await assert.rejects(client.send(reading('a')), { name: 'ProvisionedThroughputExceededException' });
    double.set({});
    await client.send(reading('a'));
    const { throttledRequests, leftOutKeys } = double.counts();
    assert.deepEqual([throttledRequests, leftOutKeys], [1, 1]);
  }));
