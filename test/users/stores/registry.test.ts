// Every store is opened by its name with the settings that are its own, and one that can't be says why in one line.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from '../../../functions/limits.ts';
import { noEvents, type UserStore } from '../../../functions/users/store.ts';
import { openStore, storeKinds } from '../../../functions/users/stores/registry.ts';
import { byName, one, unbounded } from './contract-setting.ts';
import { inFolder } from './sqlite-folder.ts';

async function assertWorks(store: UserStore): Promise<void> {
  const ann = { username: 'ann', userId: 1 };
  assert.equal((await store.signUp(ann, unbounded)).outcome, 'created');
  assert.deepEqual(await one(store, byName('ANN')), ann);
  await store.close();
}

test('the stores are those of the documentation, the default first', () => {
  assert.deepEqual(storeKinds, ['sqlite', 'dynamodb', 'memory']);
});

test('memory', async () => assertWorks(await openStore({ kind: 'memory' }, limits)));

test('sqlite keeps its file in the data folder', () =>
  inFolder(async (folder) => {
    const dataFolder = join(folder, 'data');
    await assertWorks(await openStore({ kind: 'sqlite', dataFolder }, limits));
    assert.ok(existsSync(join(dataFolder, 'users.sqlite')));
  }));

test('dynamodb that opens late asks for nothing before a call does; then it tells that it has no table', async () => {
  Object.assign(process.env, { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' });
  const config = {
    kind: 'dynamodb',
    table: 'people',
    endpoint: 'http://127.0.0.1:9',
    opensLate: true,
  } as const;
  const failed = Promise.withResolvers<Error>();
  const quick = { ...limits, dynamoMaxAttempts: 1 };
  const store = await openStore(config, quick, noEvents, undefined, failed.resolve);
  assert.equal(store.system, 'aws.dynamodb');
  await assert.rejects(store.find([byName('ann')], unbounded), { name: 'StoreError' });
  assert.match((await failed.promise).message, /^cannot use the table people: .*127\.0\.0\.1:9.*$/);
  await store.close();
});

test('dynamodb asks for the table at the endpoint', async () => {
  Object.assign(process.env, { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' });
  // Nobody listens at port 9 (discard).
  const config = { kind: 'dynamodb', table: 'people', endpoint: 'http://127.0.0.1:9' } as const;
  await assert.rejects(openStore(config, { ...limits, dynamoMaxAttempts: 1 }), {
    name: 'StoreError',
    message: /^cannot use the table people: .*127\.0\.0\.1:9.*$/,
  });
});
