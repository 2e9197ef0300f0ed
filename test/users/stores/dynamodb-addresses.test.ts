// Addresses that version 1 has stored under other keys than this version's: their users are found, changed and removed,
// and nobody else gets them, before they are moved as after; of two that are one now nobody is lost. Runs where
// DYNAMODB_ENDPOINT is set.
import assert from 'node:assert/strict';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { UserStore } from '../../../functions/users/store.ts';
import { indexNames } from '../../../functions/users/stores/dynamodb-index.ts';
import { idOf, kept, signedUp, unbounded } from './contract-setting.ts';
import { endpoint, itemsOf, withoutEndpoint, withProxy } from './dynamodb-setting.ts';
import type { TestTable } from './dynamodb-table.ts';

if (endpoint === undefined) withoutEndpoint('addresses of version 1');
else addresses(endpoint);

const heldUntilMs = Date.now() + 60_000;
/** The capital has no composed form. */
const capital = 'J\u030Can@x.org';
const formerKey = 'MAIL#j\u030Can@x.org';
const small = '\u01F0an@x.org';
const key = `MAIL#${small}`;

/** Stores a user as version 1 does. */
async function put(
  { client, name }: TestTable,
  username: string,
  userId: number,
  email: string,
): Promise<void> {
  const user = { username: { S: username }, userId: { N: String(userId) } };
  const pk = `MAIL#${email.normalize('NFC').toLowerCase()}`;
  for (const item of [
    { ...user, pk: { S: `NAME#${username}` } },
    { pk: { S: pk }, userId: { N: String(userId) } },
    { ...user, pk: { S: `USER#${userId}` }, email: { S: email } },
  ])
    await client.send(new PutItemCommand({ TableName: name, Item: item }));
}

const mailsOf = async (table: TestTable) =>
  (await itemsOf(table))
    .map(({ pk }) => String(pk))
    .filter((pk) => pk.startsWith('MAIL#'))
    .sort();

const signUp = async (store: UserStore, userId: number, email: string) =>
  (await store.signUp({ username: `u${userId}`, userId, email }, unbounded)).outcome;

function addresses(endpoint: string): void {
  withProxy(
    endpoint,
    'an address under a key of version 1 is found, taken and given up',
    async ({ store, table }) => {
      await put(table, 'jan', 1, capital);
      assert.equal(await idOf(store, { email: capital }), 1);
      assert.equal(await store.precheck({ username: 'eve', email: capital }, unbounded), 'email_taken');
      assert.equal(await signUp(store, 2, capital), 'email_taken');
      let from = await kept(store, { userId: 1 });
      const renamed = await store.change({ from, etag: '1', username: 'Jana', email: small }, unbounded);
      assert.equal(renamed.outcome, 'changed', 'it is its own');
      assert.deepEqual(await mailsOf(table), [formerKey]);
      await put(table, 'jan', 1, capital);
      from = await kept(store, { userId: 1 });
      assert.equal(
        (await store.change({ from, etag: '2', email: 'jan@x.org' }, unbounded)).outcome,
        'changed',
      );
      assert.deepEqual(await mailsOf(table), ['MAIL#jan@x.org']);
      await put(table, 'tim', 3, capital);
      from = await kept(store, { userId: 3 });
      assert.equal(await store.remove({ from, heldUntilMs }, unbounded), true);
      assert.equal(await signUp(store, 4, capital), 'email_taken', 'it is held');
      await put(table, 'tim', 3, capital);
      assert.equal(await store.remove({ from, heldUntilMs: 0 }, unbounded), true);
      assert.deepEqual(await mailsOf(table), ['MAIL#jan@x.org']);
      assert.equal(await signUp(store, 4, capital), 'created');
      assert.deepEqual(await mailsOf(table), [key, 'MAIL#jan@x.org'].sort());
    },
  );

  withProxy(endpoint, 'addresses are moved to their keys, once', async ({ store, table }) => {
    await put(table, 'jan', 1, capital);
    await put(table, 'nikos', 2, '\u03BD\u03B9\u03BA\u03BF\u03C2@x.org');
    await put(table, 'ann', 3, 'Ann@x.org');
    const warnings: string[] = [];
    const options = { table: table.name, endpoint, warn: (line: string) => warnings.push(line) };
    assert.equal(await indexNames(options, unbounded), 3);
    assert.deepEqual(warnings, []);
    for (const email of [capital, small]) assert.equal(await idOf(store, { email }), 1);
    assert.equal(await idOf(store, { email: '\u039D\u0399\u039A\u039F\u03A3@x.org' }), 2);
    const items = await itemsOf(table);
    assert.ok(items.some(({ pk }) => pk === key));
    assert.equal(await indexNames(options, unbounded), 0);
    assert.deepEqual(await itemsOf(table), items);
    const from = await kept(store, { userId: 1 });
    assert.equal(await store.remove({ from, heldUntilMs: 0 }, unbounded), true);
    assert.ok(!(await mailsOf(table)).includes(key));
  });

  withProxy(
    endpoint,
    'of two addresses that are one now, both users stay, and it is said',
    async ({ store, table }) => {
      await put(table, 'jan', 1, capital);
      await signedUp(store, { username: 'low', userId: 2, email: small });
      const warnings: string[] = [];
      await indexNames({ table: table.name, endpoint, warn: (line) => warnings.push(line) }, unbounded);
      assert.equal(warnings.length, 1);
      assert.match(warnings.join(), /user_id 1 /);
      assert.equal(await idOf(store, { email: small }), 2);
      const from = await kept(store, { userId: 1 });
      assert.equal((await store.change({ from, etag: '1', username: 'jana' }, unbounded)).outcome, 'changed');
      const jana = await kept(store, { userId: 1 });
      assert.equal(
        (await store.change({ from: jana, etag: '2', email: 'jana@x.org' }, unbounded)).outcome,
        'changed',
      );
      assert.deepEqual(await mailsOf(table), [key, 'MAIL#jana@x.org'].sort());
      assert.equal(await idOf(store, { email: capital }), 2);
    },
  );
}
