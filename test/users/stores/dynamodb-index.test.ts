// Names that version 1 has stored are entered in the index, once, beside servers that serve. Runs where
// DYNAMODB_ENDPOINT is set.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { CreateTableCommand, DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { limits } from '../../../functions/limits.ts';
import { indexNames } from '../../../functions/users/stores/dynamodb-index.ts';
import { kept, listed, signedUp, unbounded } from './contract-setting.ts';
import { ann, endpoint, failsWith, itemsOf, withoutEndpoint, withProxy } from './dynamodb-setting.ts';
import { putByVersion1, testTable } from './dynamodb-table.ts';

if (endpoint === undefined) withoutEndpoint('the index of names');
else index(endpoint);

function index(endpoint: string): void {
  const heldUntilMs = Date.now() + 60_000;
  /** More than one answer of a scan has. */
  const stored = Array.from({ length: 400 }, (_, i) => `User-${String(i).padStart(3, '0')}`);

  withProxy(endpoint, 'names of version 1 are listed once they are entered', async ({ store, table }) => {
    for (let at = 0; at < stored.length; at += 50) {
      await Promise.all(stored.slice(at, at + 50).map((name, i) => putByVersion1(table, name, at + i + 1)));
    }
    await signedUp(store, { ...ann, userId: 1000 });
    const gone = await signedUp(store, { username: 'gone', userId: 2000 });
    await store.remove({ from: gone, heldUntilMs }, unbounded);
    assert.deepEqual(await listed(store, {}), ['Ann']);
    const options = { table: table.name, endpoint };
    assert.equal(await indexNames(options, unbounded), stored.length);
    assert.deepEqual(await listed(store, {}), ['Ann', ...stored]);
    assert.equal(await store.account({ username: 'gone' }, unbounded), undefined);
    const items = await itemsOf(table);
    assert.equal(await indexNames(options, unbounded), 0);
    assert.deepEqual(await itemsOf(table), items, 'again, it changes nothing');
  });

  withProxy(endpoint, 'whoever goes, or comes, while names are entered', async ({ store, proxy, table }) => {
    await putByVersion1(table, 'Goes', 1);
    await putByVersion1(table, 'Held', 2);
    await putByVersion1(table, 'Stays', 3);
    const goes = await kept(store, { userId: 1 });
    const held = await kept(store, { userId: 2 });
    let isOver = false;
    proxy.fault = ({ action, body }) => {
      if (action !== 'Scan' || isOver) return 'pass';
      isOver = true;
      return {
        request: body,
        async answer(answer) {
          await store.remove({ from: goes, heldUntilMs: 0 }, unbounded);
          await store.remove({ from: held, heldUntilMs }, unbounded);
          return answer;
        },
      };
    };
    assert.equal(await indexNames({ table: table.name, endpoint: proxy.url }, unbounded), 1);
    assert.deepEqual(await listed(store, {}), ['Stays']);
    assert.equal(await store.precheck({ username: 'goes' }, unbounded), undefined, 'it makes nobody');
    assert.equal(await store.precheck({ username: 'held' }, unbounded), 'username_taken');
  });

  withProxy(
    endpoint,
    'throttled, names are entered all the same; cut off, the next run goes on',
    async ({ proxy, table }) => {
      for (const [i, name] of ['aa', 'bb', 'cc'].entries()) await putByVersion1(table, name, i + 1);
      const options = { table: table.name, endpoint: proxy.url, limits: { ...limits, dynamoMaxTries: 3 } };
      const throttled = { status: 400, type: 'ProvisionedThroughputExceededException' };
      proxy.fault = ({ action, number }) => (action === 'UpdateItem' && number > 1 ? throttled : 'pass');
      await assert.rejects(indexNames(options, unbounded), failsWith(/Throughput/, true));
      proxy.seen.clear();
      proxy.fault = ({ number }) => (number === 1 ? throttled : 'pass');
      assert.equal(await indexNames(options, unbounded), 2);
      const reason = new Error('enough');
      await assert.rejects(indexNames(options, AbortSignal.abort(reason)), (error) => error === reason);
    },
  );

  test('a table without the index, or none at all, is named in one line', async () => {
    await assert.rejects(
      indexNames({ table: 'nobody', endpoint }, unbounded),
      failsWith(/could not index the names: .*ResourceNotFound/, false),
    );
    const { client, remove } = await testTable(endpoint);
    const name = `users-${randomUUID()}`;
    await client.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      }),
    );
    try {
      await assert.rejects(
        indexNames({ table: name, endpoint }, unbounded),
        failsWith(
          new RegExp(`^the table ${name} has no index users-by-name: deploy this version first$`),
          false,
        ),
      );
    } finally {
      await client.send(new DeleteTableCommand({ TableName: name }));
      await remove();
    }
  });
}
