// The DynamoDB client asks in DynamoDB's protocol, signs as AWS says, and asks again what may succeed then: after
// throttling, faults, and answers that are lost or damaged, with the same token, within its attempts and its quota. A
// server of the test's own answers.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { DynamoError } from '../../../functions/users/stores/dynamodb-api.ts';
import { fault } from '../../../functions/users/stores/dynamodb-faults.ts';
import { unbounded } from './contract-setting.ts';
import { type Asked, environment, ok, refuse, scripted, setEnvironment } from './dynamodb-scripted.ts';

const describe = { TableName: 'users' };
const write = { TransactItems: [], ClientRequestToken: 'token-1' };

/**
 * The signature that AWS expects:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
function expectedAuthorization({ headers, body }: Asked, id: string, secret: string, region: string): string {
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const at = String(headers['x-amz-date']);
  const scope = [at.slice(0, 8), region, 'dynamodb', 'aws4_request'];
  const names = ['content-type', 'host', 'x-amz-date', 'x-amz-security-token', 'x-amz-target'];
  const signed = names.filter((name) => headers[name] !== undefined);
  const lines = signed.map((name) => `${name}:${headers[name]}\n`).join('');
  const canonical = `POST\n/\n\n${lines}\n${signed.join(';')}\n${sha256(body)}`;
  const key = scope.reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${secret}`);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${at}\n${scope.join('/')}\n${sha256(canonical)}`);
  const fields = [`Credential=${id}/${scope.join('/')}`, `SignedHeaders=${signed.join(';')}`];
  return `AWS4-HMAC-SHA256 ${[...fields, `Signature=${signature.toString('hex')}`].join(', ')}`;
}

test('a request is as DynamoDB documents it, and its signature is right, token and UTF-8 included', async (context) => {
  setEnvironment(context, { ...environment, AWS_SESSION_TOKEN: 'session-1' });
  const { client, asked } = await scripted(context, (_, response) =>
    ok(response, { Items: [{ pk: { S: 'ü' } }] }),
  );
  const scan = { TableName: 'users', FilterExpression: 'ünïcode' };
  assert.deepEqual(await client.send('Scan', scan, unbounded), { Items: [{ pk: { S: 'ü' } }] });
  const [one] = asked;
  assert.ok(one);
  assert.equal(one.headers['x-amz-target'], 'DynamoDB_20120810.Scan');
  assert.equal(one.headers['content-type'], 'application/x-amz-json-1.0');
  assert.equal(one.headers['x-amz-security-token'], 'session-1');
  assert.deepEqual(JSON.parse(one.body), scan);
  assert.equal(one.headers.authorization, expectedAuthorization(one, 'key-1', 'secret-1', 'eu-west-3'));
});

const damages: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'a connection that drops': (response) => response.socket?.destroy(),
  'an answer that breaks off': (response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"Table', () => response.socket?.destroy());
  },
  'half of the JSON': (response) => response.end('{"Table":'),
  'another checksum': (response) =>
    response.writeHead(200, { 'x-amz-crc32': String(crc32('{}')) }).end('{} '),
  'a page of a proxy': (response) => response.writeHead(503).end('<h1>Busy</h1>'),
  'a fault of the server': (response) => refuse(response, 'InternalServerError', 500),
  'a transaction that is under way': (response) => refuse(response, 'TransactionInProgressException'),
};
for (const [what, damage] of Object.entries(damages)) {
  test(`after ${what}, a write is sent once more with the same token`, async (context) => {
    setEnvironment(context, environment);
    const { client, asked, events } = await scripted(context, ({ number }, response) =>
      number === 1 ? damage(response) : response.setHeader('x-amz-crc32', crc32('{}')).end('{}'),
    );
    assert.deepEqual(await client.send('TransactWriteItems', write, unbounded), {});
    assert.deepEqual(
      asked.map(({ body }) => JSON.parse(body).ClientRequestToken),
      ['token-1', 'token-1'],
    );
    assert.deepEqual(events, { retries: 1, throttles: 0 });
  });
}

test('a refusal is final, and says what DynamoDB said', async (context) => {
  setEnvironment(context, environment);
  const { client, asked } = await scripted(context, (_, response) => refuse(response, 'ValidationException'));
  await assert.rejects(client.send('DescribeTable', describe, unbounded), (error) => {
    assert.ok(error instanceof DynamoError);
    assert.deepEqual([error.name, error.message, error.status], ['ValidationException', 'scripted', 400]);
    return true;
  });
  assert.equal(asked.length, 1);
});

test('what fails always ends with the last error, after all attempts', async (context) => {
  setEnvironment(context, environment);
  const { client, asked } = await scripted(context, (_, response) => response.writeHead(502).end());
  await assert.rejects(client.send('DescribeTable', describe, unbounded), { name: 'HTTP 502', status: 502 });
  assert.equal(asked.length, 4);
});

test('throttling after an attempt that nobody knows the outcome of does not make a repeat safe', async (context) => {
  setEnvironment(context, environment);
  let isLost = false;
  const { client, asked } = await scripted(
    context,
    ({ number }, response) => {
      if (isLost && number === 1) response.socket?.destroy();
      else refuse(response, 'ThrottlingException');
    },
    { limits: { dynamoMaxAttempts: 2 } },
  );
  for (isLost of [false, true]) {
    asked.length = 0;
    const error = await client
      .send('TransactWriteItems', write, unbounded)
      .catch((reason: unknown) => reason);
    assert.equal(asked.length, 2);
    const [once, again] = [fault('store the user', error, false), fault('store the user', error, true)];
    assert.deepEqual([once.retrySafe, again.retrySafe], [!isLost, true], `lost: ${isLost}`);
    assert.deepEqual([once.isOverload, once.retryAfterMs], [true, 1_000]);
  }
});

test('while all fails, fewer and fewer are sent again', async (context) => {
  setEnvironment(context, environment);
  let isBroken = true;
  const { client, asked } = await scripted(context, (_, response) =>
    isBroken ? refuse(response, 'InternalServerError', 500) : ok(response),
  );
  const failed = Array.from({ length: 60 }, () => client.send('DescribeTable', describe, unbounded));
  const ends = await Promise.allSettled(failed);
  assert.ok(ends.every(({ status }) => status === 'rejected'));
  assert.equal(asked.length, 60 + Math.floor(500 / 14), 'the quota is spent');
  isBroken = false;
  for (let i = 0; i < 14; i += 1) await client.send('DescribeTable', describe, unbounded);
  isBroken = true;
  asked.length = 0;
  await assert.rejects(client.send('DescribeTable', describe, unbounded));
  assert.equal(asked.length, 2, 'successes have filled it for one');
});

test('a call that waits after throttling ends with its signal', async (context) => {
  setEnvironment(context, environment);
  const { client, events } = await scripted(
    context,
    (_, response) => refuse(response, 'ThrottlingException'),
    {
      limits: { dynamoMaxAttempts: 1_000 },
    },
  );
  const controller = new AbortController();
  const call = client.send('DescribeTable', describe, controller.signal);
  while (events.throttles === 0) await new Promise((resolve) => setImmediate(resolve));
  const reason = new Error('the deadline passed');
  controller.abort(reason);
  await assert.rejects(call, (error) => error === reason);
  await assert.rejects(
    client.send('DescribeTable', describe, controller.signal),
    (error) => error === reason,
  );
});
