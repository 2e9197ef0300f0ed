// The DynamoDB store keeps the contract of every store, and reads a user once. Runs where DYNAMODB_ENDPOINT is set
// (`.ci/dynamodb` starts one).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDynamoStore } from '../../../functions/users/stores/dynamodb.ts';
import { storeContract } from './contract.ts';
import { unbounded } from './contract-setting.ts';
import { dynamoProxy } from './dynamodb-proxy.ts';
import {
  ann,
  endpoint,
  failsWith,
  itemsOf,
  request,
  wanted,
  withoutEndpoint,
  withProxy,
} from './dynamodb-setting.ts';
import { testTable } from './dynamodb-table.ts';

if (endpoint === undefined) withoutEndpoint('DynamoDB store');
else suite(endpoint);

function suite(endpoint: string): void {
  storeContract({
    name: 'DynamoDB',
    fixture: async () => {
      const table = await testTable(endpoint);
      return {
        open: (now) => openDynamoStore({ table: table.name, endpoint, now }),
        remove: () => table.remove(),
      };
    },
    shared: true,
    usersToRead: 1000,
  });

  withProxy(endpoint, 'what is stored; two actions, one request a call', async (setting) => {
    const { store, proxy } = setting;
    const signUp = { ...ann, email: 'Ann@x.org', passwordHash: '$argon2id$', request };
    assert.equal((await store.signUp(signUp, unbounded)).outcome, 'created');
    assert.equal((await store.signUp(signUp, unbounded)).outcome, 'repeated');
    assert.equal((await store.signUp({ ...ann, userId: 8 }, unbounded)).outcome, 'username_taken');
    const expiresAt = Math.ceil(request.expiresAtMs / 1000);
    assert.deepEqual(await itemsOf(setting.table), [
      { pk: 'MAIL#ann@x.org', userId: 7 },
      { pk: 'NAME#ann', ...ann, initial: 'a' },
      { pk: 'REQ#r1', ...ann, fingerprint: 'f', expiresAt },
      { pk: 'USER#7', ...ann, email: 'Ann@x.org', passwordHash: '$argon2id$' },
    ]);
    proxy.fault = ({ body }) => {
      assert.match(body, /"ConsistentRead":true/, 'a sign-up is found at once');
      assert.doesNotMatch(body, /password/, 'secrets are not even read');
      return 'pass';
    };
    await store.find([...wanted, ...wanted], unbounded);
    await store.find(
      [
        { username: 'ANN', userId: 0 },
        { username: '', userId: 7 },
      ],
      unbounded,
    );
    assert.deepEqual(Object.fromEntries(proxy.seen), { TransactWriteItems: 3, BatchGetItem: 2 });
  });

  withProxy(
    endpoint,
    'a precheck is one read; only where it would refuse, it reads the request id after it',
    async (setting) => {
      const { store, proxy, table } = setting;
      await store.signUp({ ...ann, email: 'Ann@x.org', passwordHash: '$argon2id$', request }, unbounded);
      const reads: string[][] = [];
      proxy.fault = ({ body }) => {
        assert.doesNotMatch(body, /password/);
        const { Keys, ConsistentRead } = JSON.parse(body).RequestItems[table.name];
        assert.ok(ConsistentRead, 'a sign-up is found at once');
        reads.push(Keys.map(({ pk }: { pk: { S: string } }) => pk.S));
        return 'pass';
      };
      const precheck = async (username: string, requestId?: string) => {
        reads.length = 0;
        return store.precheck({ username, email: `${username}@x.org`, requestId }, unbounded);
      };
      assert.equal(await precheck('bob', request.id), undefined);
      assert.deepEqual(reads, [['NAME#bob', 'MAIL#bob@x.org']]);
      assert.equal(await precheck('ann'), 'username_taken');
      assert.deepEqual(reads, [['NAME#ann', 'MAIL#ann@x.org']]);
      assert.equal(await precheck('ann', request.id), undefined);
      assert.deepEqual(reads, [['NAME#ann', 'MAIL#ann@x.org'], ['REQ#r1']]);
    },
  );

  test('DynamoDB store: a table that is not there, or not allowed, is named in one line when it is opened', async () => {
    await assert.rejects(
      openDynamoStore({ table: 'nobody', endpoint }),
      failsWith(/^cannot use the table nobody: .*ResourceNotFound/, false),
    );
    const proxy = await dynamoProxy(endpoint);
    proxy.fault = () => ({ status: 400, type: 'AccessDeniedException' });
    try {
      await assert.rejects(
        openDynamoStore({ table: 'users', endpoint: proxy.url }),
        failsWith(/AccessDenied/, false),
      );
    } finally {
      await proxy.close();
    }
  });
}
