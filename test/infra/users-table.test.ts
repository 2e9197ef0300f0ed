// Proves that the table is what the DynamoDB store needs, that users survive mistakes, and that the tasks may do with
// it what the store's code calls and nothing else.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { resourcesOf, theOnly, usersTemplate } from './synthesis.ts';

const template = usersTemplate();
const table = theOnly(template, 'AWS::DynamoDB::GlobalTable');

test('keyed and expiring as the store writes items, paid by request', () => {
  const { KeySchema, AttributeDefinitions, TimeToLiveSpecification, BillingMode } = table.Properties;
  assert.deepEqual(KeySchema, [{ AttributeName: 'pk', KeyType: 'HASH' }]);
  assert.deepEqual(AttributeDefinitions, [{ AttributeName: 'pk', AttributeType: 'S' }]);
  assert.deepEqual(TimeToLiveSpecification, { AttributeName: 'expiresAt', Enabled: true });
  assert.equal(BillingMode, 'PAY_PER_REQUEST');
});

test('with a ceiling on what it serves, and so on what it costs', () => {
  const ceilings = (context: Record<string, unknown>) => {
    const { Properties } = theOnly(usersTemplate(context), 'AWS::DynamoDB::GlobalTable');
    const { Replicas, WriteOnDemandThroughputSettings: writes } = Properties;
    assert(Array.isArray(Replicas));
    return [Replicas[0].ReadOnDemandThroughputSettings ?? Properties.ReadOnDemandThroughputSettings, writes];
  };
  assert.deepEqual(ceilings({}), [{ MaxReadRequestUnits: 1000 }, { MaxWriteRequestUnits: 1000 }]);
  assert.deepEqual(ceilings({ maxReadUnits: '4000', maxWriteUnits: '500' }), [
    { MaxReadRequestUnits: 4000 },
    { MaxWriteRequestUnits: 500 },
  ]);
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

/** What IAM asks for, by the SDK's commands. A transaction of puts is put by put: there is no action for it. */
const actionsOf: Readonly<Record<string, readonly string[]>> = {
  TransactWriteItemsCommand: ['dynamodb:PutItem'],
  BatchGetItemCommand: ['dynamodb:BatchGetItem'],
};

test("the tasks' role allows what the store calls, on this table", () => {
  const store = ['dynamodb.ts', 'dynamodb-table.ts', 'dynamodb-items.ts', 'dynamodb-faults.ts']
    .map((file) => readFileSync(new URL(`../../functions/users/stores/${file}`, import.meta.url), 'utf8'))
    .join('');
  const commands = [...new Set(store.match(/\b[A-Z]\w+Command\b/g))];
  const needed = commands.flatMap(
    (command) => actionsOf[command] ?? assert.fail(`${command}: which actions?`),
  );
  assert.doesNotMatch(
    store,
    /\b(Update|Delete|ConditionCheck): \{/,
    'a transaction of more than puts needs more actions',
  );

  const statements = resourcesOf(template, 'AWS::IAM::Policy')
    .filter(([, { Properties }]) => /ServiceTaskTaskRole/.test(JSON.stringify(Properties.Roles)))
    .flatMap(([, { Properties }]) => JSON.parse(JSON.stringify(Properties.PolicyDocument)).Statement);
  assert.equal(statements.length, 1);
  const [{ Effect, Action, Resource }] = statements;
  assert.equal(Effect, 'Allow');
  assert.deepEqual([...Action].sort(), needed.sort());
  assert.deepEqual(Resource, { 'Fn::GetAtt': ['UsersTable6D91A5EE', 'Arn'] });
});
