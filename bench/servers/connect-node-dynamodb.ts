// Stock connect-node, served as its documentation shows it, with users in DynamoDB by the AWS SDK, as its documentation
// shows that: the same items as those of functions/users/stores/dynamodb-items.ts, one request for a look-up and one
// transaction for a sign-up. It validates nothing, writes no log, and lets everybody call.
import { randomInt } from 'node:crypto';
import http2 from 'node:http2';
import {
  type AttributeValue,
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  type BatchGetItemCommandOutput,
  DynamoDBClient,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Users } from '../../proto/gen/users_pb.js';
import type { CreateUserRequest, User } from '../../proto/gen/users_types_pb.js';

type Item = Record<string, AttributeValue>;

const client = new DynamoDBClient({});
const table = process.env.USERS_TABLE ?? '';
/** What one BatchGetItem takes. */
const batchKeys = 100;
const requestTtlSeconds = 24 * 60 * 60;

const handler = connectNodeAdapter({
  routes: (router) =>
    router.service(Users, {
      createUser,
      async *getUsers({ user: users }) {
        for (let at = 0; at < users.length; at += batchKeys) {
          const some = users.slice(at, at + batchKeys);
          const found = await find(some);
          for (const wanted of some) {
            const value = found.get(keyOf(wanted));
            yield { result: value ? { case: 'user', value } : { case: 'missing', value: wanted } };
          }
        }
      },
    }),
});
http2.createServer(handler).listen(Number(process.env.PORT), '127.0.0.1');

async function find(users: readonly User[]): Promise<Map<string, { username: string; userId: number }>> {
  const found = new Map<string, { username: string; userId: number }>();
  const keys = [...new Set(users.map(keyOf))].map((key) => ({ pk: { S: key } }));
  const projection = 'pk, username, userId, heldUntilMs';
  let asked: BatchGetItemCommandInput['RequestItems'] = {
    [table]: { Keys: keys, ConsistentRead: true, ProjectionExpression: projection },
  };
  while (Object.keys(asked ?? {}).length > 0) {
    const answer: BatchGetItemCommandOutput = await client.send(
      new BatchGetItemCommand({ RequestItems: asked }),
    );
    for (const { pk, username, userId, heldUntilMs } of answer.Responses?.[table] ?? []) {
      if (heldUntilMs === undefined && pk?.S !== undefined)
        found.set(pk.S, { username: username?.S ?? '', userId: Number(userId?.N) });
    }
    asked = answer.UnprocessedKeys;
  }
  return found;
}

/** An id may be another user's by chance: then another one is tried, as ours does. */
async function createUser(request: CreateUserRequest) {
  try {
    return await signUp(request);
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.AlreadyExists) throw error;
    return signUp(request);
  }
}

async function signUp({ username, email, requestId }: CreateUserRequest) {
  const userId = randomInt(1, 2 ** 32);
  const user: Item = { username: { S: username }, userId: { N: String(userId) } };
  const name = username.toLowerCase();
  const expiresAt = { N: String(Math.floor(Date.now() / 1000) + requestTtlSeconds) };
  const createdAtMs = { N: String(Date.now()) };
  const items: Item[] = [
    { pk: { S: `NAME#${name}` }, ...user, initial: { S: name.charAt(0) } },
    { pk: { S: `USER#${userId}` }, ...user, createdAtMs, ...(email !== '' && { email: { S: email } }) },
  ];
  if (email !== '') items.push({ pk: { S: `MAIL#${email.toLowerCase()}` }, userId: { N: String(userId) } });
  if (requestId !== '')
    items.push({ pk: { S: `REQ#${requestId}` }, ...user, fingerprint: { S: `${name}${email}` }, expiresAt });
  const writes = items.map((item) => ({
    Put: { TableName: table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' },
  }));
  try {
    await client.send(new TransactWriteItemsCommand({ TransactItems: writes }));
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    throw new ConnectError('the name or the address is taken', Code.AlreadyExists);
  }
  return { user: { username, userId } };
}

function keyOf({ username, userId }: User): string {
  return username === '' ? `USER#${userId}` : `NAME#${username.toLowerCase()}`;
}
