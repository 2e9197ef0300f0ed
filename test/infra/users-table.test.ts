// Proves that the table is what the DynamoDB store needs, that users survive mistakes, and that the tasks may do with
// it what the store's code calls and nothing else.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { nameIndex } from '../../functions/users/stores/dynamodb-items.ts';
import { type Resource, resourcesOf, theOnly, usersTemplate } from './synthesis.ts';

const template = usersTemplate();
const table = theOnly(template, 'AWS::DynamoDB::GlobalTable');

function indexOf({ Properties }: Resource) {
  const { GlobalSecondaryIndexes: indexes } = Properties;
  assert(Array.isArray(indexes) && indexes.length === 1);
  return indexes[0];
}

test('keyed and expiring as the store writes items, paid by request', () => {
  const { KeySchema, AttributeDefinitions, TimeToLiveSpecification, BillingMode } = table.Properties;
  assert.deepEqual(KeySchema, [{ AttributeName: 'pk', KeyType: 'HASH' }]);
  assert.deepEqual(AttributeDefinitions, [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'initial', AttributeType: 'S' },
  ]);
  assert.deepEqual(TimeToLiveSpecification, { AttributeName: 'expiresAt', Enabled: true });
  assert.equal(BillingMode, 'PAY_PER_REQUEST');
});

test('with an index of the names that has what a page shows, and no more', () => {
  assert.deepEqual(indexOf(table), {
    IndexName: nameIndex,
    KeySchema: [
      { AttributeName: 'initial', KeyType: 'HASH' },
      { AttributeName: 'pk', KeyType: 'RANGE' },
    ],
    Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['username', 'userId'] },
    WriteOnDemandThroughputSettings: { MaxWriteRequestUnits: 1000 },
  });
});

test('with a ceiling on what it serves, and so on what it costs', () => {
  const ceilings = (context: Record<string, unknown>) => {
    const resource = theOnly(usersTemplate(context), 'AWS::DynamoDB::GlobalTable');
    const { Replicas, WriteOnDemandThroughputSettings: writes } = resource.Properties;
    assert(Array.isArray(Replicas));
    const [{ GlobalSecondaryIndexes, ReadOnDemandThroughputSettings: reads }] = Replicas;
    const index = indexOf(resource);
    return {
      table: [reads ?? resource.Properties.ReadOnDemandThroughputSettings, writes],
      index: [
        GlobalSecondaryIndexes?.[0].ReadOnDemandThroughputSettings ?? index.ReadOnDemandThroughputSettings,
        index.WriteOnDemandThroughputSettings,
      ],
    };
  };
  const asked = (reads: number, writes: number) => {
    const units = [{ MaxReadRequestUnits: reads }, { MaxWriteRequestUnits: writes }];
    return { table: units, index: units };
  };
  assert.deepEqual(ceilings({}), asked(1000, 1000));
  assert.deepEqual(ceilings({ maxReadUnits: '4000', maxWriteUnits: '500' }), asked(4000, 500));
});

test('recoverable, protected, and kept when the stack goes', () => {
  const { Replicas } = table.Properties;
  assert(Array.isArray(Replicas) && Replicas.length === 1);
  assert.equal(Replicas[0].DeletionProtectionEnabled, true);
  assert.deepEqual(Replicas[0].PointInTimeRecoverySpecification, { PointInTimeRecoveryEnabled: true });
  assert.deepEqual([table.DeletionPolicy, table.UpdateReplacePolicy], ['Retain', 'Retain']);
});

test('for a trial, gone with the stack', () => {
  const disposable = theOnly(usersTemplate({ disposable: 'true' }), 'AWS::DynamoDB::GlobalTable');
  const { Replicas } = disposable.Properties;
  assert(Array.isArray(Replicas));
  assert.equal(Replicas[0].DeletionProtectionEnabled, false);
  assert.deepEqual([disposable.DeletionPolicy, disposable.UpdateReplacePolicy], ['Delete', 'Delete']);
});

/** What IAM asks for, by the actions of the API. */
const actionsOf: Readonly<Record<string, readonly string[]>> = {
  TransactWriteItems: [], // what it consists of: there is no action for the whole
  BatchGetItem: ['BatchGetItem'],
  Query: ['Query'],
  Scan: [], // a copy: with the rights of whoever makes it
};
/** The same, by the parts of a transaction. */
const actionOfPart: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
};

test("the tasks' role allows what the store calls, on this table and its index", () => {
  const folder = new URL('../../functions/users/stores/', import.meta.url);
  const store = readdirSync(folder)
    // Names are entered in the index by operators.
    .filter((file) => /^dynamodb/.test(file) && file !== 'dynamodb-index.ts')
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
    .join('');
  const calls = new Set([...store.matchAll(/\bsend\('(\w+)'/g)].map(([, call = '']) => call));
  const parts = Object.keys(actionOfPart).filter((part) => new RegExp(`\\b${part}: [{\\w]`).test(store));
  const needed = [
    ...[...calls].flatMap((call) => actionsOf[call] ?? assert.fail(`${call}: which actions?`)),
    ...parts.map((part) => actionOfPart[part] ?? assert.fail(part)),
  ].map((action) => `dynamodb:${action}`);
  assert.deepEqual(parts, ['Put', 'Update', 'Delete', 'ConditionCheck']);

  const statements = resourcesOf(template, 'AWS::IAM::Policy')
    .filter(([, { Properties }]) => /ServiceTaskTaskRole/.test(JSON.stringify(Properties.Roles)))
    .flatMap(([, { Properties }]) => JSON.parse(JSON.stringify(Properties.PolicyDocument)).Statement);
  const arn = { 'Fn::GetAtt': ['UsersTable6D91A5EE', 'Arn'] };
  const allowed = statements.map(({ Effect, Action, Resource }) => {
    assert.equal(Effect, 'Allow');
    return { actions: [Action].flat().sort(), on: Resource };
  });
  assert.deepEqual(allowed, [
    { actions: needed.filter((action) => action !== 'dynamodb:Query').sort(), on: arn },
    { actions: ['dynamodb:Query'], on: { 'Fn::Join': ['', [arn, `/index/${nameIndex}`]] } },
  ]);
});
