// The DynamoDB client signs with the credentials of its container and takes new ones before and after these expire,
// follows DynamoDB's clock where its own is wrong, and finds DynamoDB where the environment says.
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { findEndpoint } from '../../../functions/users/stores/dynamodb-endpoint.ts';
import { listen } from '../../support/listener.ts';
import { unbounded } from './contract-setting.ts';
import { type Asked, environment, ok, refuse, scripted, setEnvironment } from './dynamodb-scripted.ts';

const describe = { TableName: 'users' };
const keyOf = ({ headers }: Asked) => /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1];
const minute = 60_000;

/** Starts what ECS has for credentials. The n-th ones are `key-n`, and expire after so many ms. */
async function container(context: TestContext, lastsMs: (n: number) => number) {
  const state = { given: 0, isDown: false };
  const server = createServer((_, response) => {
    if (state.isDown) return response.writeHead(500).end('{}');
    state.given += 1;
    const n = state.given;
    const Expiration = new Date(Date.now() + lastsMs(n)).toISOString();
    const secrets = { AccessKeyId: `key-${n}`, SecretAccessKey: `secret-${n}`, Token: `session-${n}` };
    response.setHeader('connection', 'close');
    return response.end(JSON.stringify({ ...secrets, Expiration }));
  });
  const listener = await listen(server);
  context.after(() => listener[Symbol.asyncDispose]());
  setEnvironment(context, {
    ...environment,
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: undefined,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${listener.endpoint}/credentials`,
  });
  return state;
}

test("the container's credentials are read once for many requests", async (context) => {
  const state = await container(context, () => 60 * minute);
  const { client, asked } = await scripted(context, (_, response) => ok(response));
  await Promise.all(Array.from({ length: 20 }, () => client.send('DescribeTable', describe, unbounded)));
  assert.equal(state.given, 1);
  assert.deepEqual(new Set(asked.map(keyOf)), new Set(['key-1']));
  assert.equal(asked[0]?.headers['x-amz-security-token'], 'session-1');
});

test('credentials that soon expire are replaced while they are still used, also if that fails at first', async (context) => {
  const state = await container(context, (n) => (n === 1 ? 2 * minute : 60 * minute));
  const { client, asked } = await scripted(context, (_, response) => ok(response));
  await client.send('DescribeTable', describe, unbounded);
  state.isDown = true;
  await client.send('DescribeTable', describe, unbounded);
  assert.deepEqual(asked.map(keyOf), ['key-1', 'key-1']);
  state.isDown = false;
  while (asked.map(keyOf).at(-1) !== 'key-2') await client.send('DescribeTable', describe, unbounded);
  assert.equal(state.given, 2);
});

test('credentials that DynamoDB calls expired are replaced at once, by one for all calls', async (context) => {
  const state = await container(context, () => 60 * minute);
  const { client, asked } = await scripted(context, (one, response) =>
    keyOf(one) === 'key-1' ? refuse(response, 'ExpiredTokenException') : ok(response),
  );
  await Promise.all(Array.from({ length: 5 }, () => client.send('DescribeTable', describe, unbounded)));
  assert.equal(asked.length, 10);
  assert.equal(state.given, 2);
});

test('credentials that stay the same are not tried twice', async (context) => {
  setEnvironment(context, environment);
  const { client, asked } = await scripted(context, (_, response) =>
    refuse(response, 'UnrecognizedClientException'),
  );
  await assert.rejects(client.send('DescribeTable', describe, unbounded), {
    name: 'UnrecognizedClientException',
  });
  assert.equal(asked.length, 1);
});

for (const hours of [-1, 1]) {
  test(`a clock that is ${hours} h away is set by DynamoDB's, once`, async (context) => {
    setEnvironment(context, environment);
    const { client, asked } = await scripted(context, ({ headers }, response) => {
      const nowMs = Date.now() + hours * 60 * minute;
      response.setHeader('date', new Date(nowMs).toUTCString());
      const parts = /^(....)(..)(.....)(..)(.*)$/.exec(String(headers['x-amz-date']))?.slice(1) ?? [];
      const [year, month, hour, minutes, seconds] = parts;
      const signedMs = Date.parse(`${year}-${month}-${hour}:${minutes}:${seconds}`);
      if (Math.abs(signedMs - nowMs) < 5 * minute) ok(response);
      else refuse(response, 'InvalidSignatureException');
    });
    await client.send('DescribeTable', describe, unbounded);
    await client.send('DescribeTable', describe, unbounded);
    assert.equal(asked.length, 3);
  });
}

test('a signature that is wrong at the right time is final', async (context) => {
  setEnvironment(context, environment);
  const { client, asked } = await scripted(context, (_, response) =>
    refuse(response, 'InvalidSignatureException'),
  );
  await assert.rejects(client.send('DescribeTable', describe, unbounded), {
    name: 'InvalidSignatureException',
  });
  assert.equal(asked.length, 1);
});

test('a wrong secret with a clock that is wrong too is tried once more, not as often as attempts allow', async (context) => {
  setEnvironment(context, environment);
  const { client, asked } = await scripted(context, (_, response) => {
    response.setHeader('date', new Date(Date.now() + 60 * minute).toUTCString());
    refuse(response, 'InvalidSignatureException');
  });
  const refused = { name: 'InvalidSignatureException' };
  await assert.rejects(client.send('DescribeTable', describe, unbounded), refused);
  assert.equal(asked.length, 2);
});

test('credentials that are refused again and again are not asked for again for each refusal', async (context) => {
  const state = await container(context, () => 60 * minute);
  const { client } = await scripted(context, (_, response) =>
    refuse(response, 'UnrecognizedClientException'),
  );
  for (let i = 0; i < 10; i += 1) {
    await assert.rejects(client.send('DescribeTable', describe, unbounded), {
      name: 'UnrecognizedClientException',
    });
  }
  assert.equal(state.given, 2);
});

test('an error has nothing of the request that a refusal quotes: no token, no signature', async (context) => {
  const secret = `FwoGZXIvYXdzE${'Ab3/+x'.repeat(60)}==`;
  setEnvironment(context, { ...environment, AWS_SESSION_TOKEN: secret });
  const quoted = `The Canonical String should have been\n'POST\n/\n\nx-amz-security-token:${secret}\n'`;
  const messages: readonly (readonly [type: string, message: string, shown: string])[] = [
    [
      'InvalidSignatureException',
      `The signature does not match.\n\n${quoted}`,
      'The signature does not match.',
    ],
    ['SignatureDoesNotMatch', `No match: x-amz-security-token:${secret}`, 'No match: x-amz-security-token:…'],
    ['IncompleteSignatureException', `Authorization=AWS4 ${secret}, half`, 'Authorization=AWS4 …, half'],
    ['AnotherException', `Wrong.\n${quoted}`, 'Wrong.'],
    [
      'ValidationException',
      `No table ${'x'.repeat(200)}\nnor index`,
      `No table ${'x'.repeat(200)}\nnor index`,
    ],
  ];
  const { client } = await scripted(context, ({ number }, response) => {
    const [type, message] = messages[number - 1] ?? [];
    response.writeHead(400).end(JSON.stringify({ __type: type, message }));
  });
  for (const [name, , message] of messages) {
    await assert.rejects(client.send('DescribeTable', describe, unbounded), { name, message });
  }
});

/** What never gives credentials, and tells when it is asked. */
function silent() {
  const asked = Promise.withResolvers<void>();
  const credentials = () => {
    asked.resolve();
    return new Promise<never>(() => {});
  };
  return { credentials, asked: asked.promise };
}

test('a call that waits for credentials ends with its signal, at the end of their time, and with the client', {
  timeout: 60_000,
}, async (context) => {
  setEnvironment(context, environment);
  const answer = (_: Asked, response: ServerResponse) => ok(response);
  const waits = async () => {
    const { credentials, asked } = silent();
    const { client } = await scripted(context, answer, { credentials });
    const controller = new AbortController();
    const call = client.send('DescribeTable', describe, controller.signal);
    call.catch(() => {});
    return { client, call, controller, asked };
  };
  const gone = await waits();
  await gone.asked;
  const reason = new Error('the deadline passed');
  gone.controller.abort(reason);
  await assert.rejects(gone.call, (error) => error === reason);

  const ended = await waits();
  await ended.asked;
  await ended.client.close();
  await assert.rejects(ended.call, /closed/);

  const { client } = await scripted(context, answer);
  client.stopWaiting();
  await client.send('DescribeTable', describe, unbounded);

  const late = await waits();
  context.mock.timers.enable({ apis: ['setTimeout'] });
  await late.asked;
  await new Promise((resolve) => setImmediate(resolve));
  context.mock.timers.tick(60_000);
  await assert.rejects(late.call, { name: 'TimeoutError', message: /no credentials within/ });
  context.mock.timers.reset();
});

test('DynamoDB is where the environment says', async (context) => {
  const found = async (given: Record<string, string>, endpoint?: string) => {
    const all = { AWS_USE_FIPS_ENDPOINT: undefined, AWS_USE_DUALSTACK_ENDPOINT: undefined };
    setEnvironment(context, { ...environment, ...all, ...given });
    return (await findEndpoint(endpoint)).url.href;
  };
  const of = (name: string) => ({ AWS_REGION: name });
  assert.equal(await found({}), 'https://dynamodb.eu-west-3.amazonaws.com/');
  assert.equal(await found(of('us-gov-west-1')), 'https://dynamodb.us-gov-west-1.amazonaws.com/');
  assert.equal(await found(of('cn-north-1')), 'https://dynamodb.cn-north-1.amazonaws.com.cn/');
  assert.equal(await found(of('eusc-de-east-1')), 'https://dynamodb.eusc-de-east-1.amazonaws.eu/');
  assert.equal(
    await found({ AWS_USE_FIPS_ENDPOINT: 'true', AWS_USE_DUALSTACK_ENDPOINT: 'true' }),
    'https://dynamodb-fips.eu-west-3.api.aws/',
  );
  const all = { AWS_ENDPOINT_URL: 'http://all:1' };
  assert.equal(await found(all), 'http://all:1/');
  assert.equal(await found({ ...all, AWS_ENDPOINT_URL_DYNAMODB: 'http://one:2' }), 'http://one:2/');
  assert.equal(await found(all, 'http://given:3'), 'http://given:3/');
});
