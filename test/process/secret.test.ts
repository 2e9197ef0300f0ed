// Proves that API_KEY_SECRET makes a key of what Secrets Manager holds, and ORIGIN_PROOF_SECRET a proof: the request is
// signed and asks for that secret;
// what can't be read, or contradicts another setting, is told in a line that shows nothing of the secret.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { it, type TestContext } from 'node:test';
import { homeEnvironment } from '../../functions/process/home.ts';
import { readConfig } from '../../functions/users/config.ts';
import { listen } from '../support/listener.ts';

const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf';
const key = 'a-key-of-twenty-letters-or-more';

async function manager(t: TestContext, status: number, answer: object) {
  const asked: { readonly headers: NodeJS.Dict<string | string[]>; readonly body: unknown }[] = [];
  const server = createServer(async (request, response) => {
    asked.push({ headers: request.headers, body: await json(request) });
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', connection: 'close' });
    response.end(JSON.stringify(answer));
  });
  const listener = await listen(server);
  t.after(() => listener[Symbol.asyncDispose]());
  for (const [name, value] of Object.entries({
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: 'hidden',
  })) {
    const before = process.env[name];
    process.env[name] = value;
    t.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
  return { asked, env: { API_KEY_SECRET: arn, AWS_ENDPOINT_URL_SECRETS_MANAGER: listener.endpoint } };
}

it('is read once at the start', async (t) => {
  const { asked, env } = await manager(t, 200, { SecretString: key });
  const config = readConfig(await homeEnvironment({ ...env, HOST: '0.0.0.0' }));
  assert.equal(config.auth.keys.length, 1);
  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0]?.body, { SecretId: arn });
  assert.equal(asked[0]?.headers['x-amz-target'], 'secretsmanager.GetSecretValue');
  assert.match(
    String(asked[0]?.headers.authorization),
    /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-central-1\/secretsmanager\/aws4_request, /,
  );
});

it('is read for each setting that names one', async (t) => {
  const { asked, env } = await manager(t, 200, { SecretString: key });
  const config = readConfig(
    await homeEnvironment({ ...env, ORIGIN_PROOF_SECRET: arn, TRUSTED_PROXIES: '2' }),
  );
  assert.equal(config.auth.keys.length, 1);
  assert.equal(config.originProof, key);
  assert.equal(asked.length, 2);
});

it('that can not be read is told', async (t) => {
  const { env } = await manager(t, 400, { __type: 'AccessDeniedException', message: 'something internal' });
  await assert.rejects(homeEnvironment(env), {
    name: 'ConfigError',
    message: `API_KEY_SECRET (${arn}) can't be read: 400 AccessDeniedException`,
  });
});

it('that contradicts another setting is told', async () => {
  await assert.rejects(homeEnvironment({ API_KEY_SECRET: 'key' }), /must be the ARN of a secret/);
  const both = homeEnvironment({ API_KEY_SECRET: arn, API_KEY: key });
  await assert.rejects(
    both,
    (error: Error) => error.message.includes('remove one') && !error.message.includes(key),
  );
});
