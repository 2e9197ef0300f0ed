import { randomUUID } from 'node:crypto';
import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  PutItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { nameIndex } from '../../../functions/users/stores/dynamodb-items.ts';

/** A table of a test's own, as the deployment makes it. */
export interface TestTable {
  readonly client: DynamoDBClient;
  readonly name: string;
  remove(): Promise<void>;
}

/** Makes an empty table at the endpoint. */
export async function testTable(endpoint: string): Promise<TestTable> {
  const client = new DynamoDBClient({ endpoint });
  const name = `users-${randomUUID()}`;
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'initial'].map((name) => ({ AttributeName: name, AttributeType: 'S' })),
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      GlobalSecondaryIndexes: [
        {
          IndexName: nameIndex,
          KeySchema: [
            { AttributeName: 'initial', KeyType: 'HASH' },
            { AttributeName: 'pk', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['username', 'userId'] },
        },
      ],
    }),
  );
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName: name,
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
    }),
  );
  return {
    client,
    name,
    async remove() {
      await client.send(new DeleteTableCommand({ TableName: name }));
      client.destroy();
    },
  };
}

/** Stores a user as version 1 does, with an address and a password. */
export async function putByVersion1(
  { client, name }: TestTable,
  username: string,
  userId: number,
): Promise<void> {
  const user = { username: { S: username }, userId: { N: String(userId) } };
  const mail = `${username}@x.org`;
  for (const item of [
    { ...user, pk: { S: `NAME#${username.toLowerCase()}` } },
    { pk: { S: `MAIL#${mail.toLowerCase()}` }, userId: { N: String(userId) } },
    { ...user, pk: { S: `USER#${userId}` }, email: { S: mail }, passwordHash: { S: '$argon2id$' } },
  ])
    await client.send(new PutItemCommand({ TableName: name, Item: item }));
}
