// Proves that a deployment is read from its outputs with the key that USERS_TOKEN holds, and that without it a sentence
// says where the key is.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readEndpoint } from './endpoint.ts';

const folder = mkdtempSync(join(tmpdir(), 'users-endpoint-'));
const file = join(folder, 'outputs.json');
const { USERS_TOKEN } = process.env;
after(() => {
  rmSync(folder, { recursive: true });
  // An undefined one would become a text.
  if (USERS_TOKEN === undefined) delete process.env.USERS_TOKEN;
  else process.env.USERS_TOKEN = USERS_TOKEN;
});

const outputs = { Endpoint: 'https://users.example.com', Ca: 'PEM', ApiKeySecret: 'arn:secret' };

test('a closed deployment, with the key', () => {
  writeFileSync(file, JSON.stringify({ Users: outputs }));
  process.env.USERS_TOKEN = 'sesame';
  const endpoint = { url: outputs.Endpoint, ca: 'PEM', serverName: undefined, token: 'sesame' };
  assert.deepEqual(readEndpoint(file), endpoint);
});

test('a closed deployment, without the key', () => {
  writeFileSync(file, JSON.stringify({ Users: outputs }));
  process.env.USERS_TOKEN = '';
  assert.throws(() => readEndpoint(file), {
    message: /^set USERS_TOKEN to the key in the secret ApiKeySecret/,
  });
});

test('a deployment that has no key', () => {
  const { ApiKeySecret, ...open } = outputs;
  writeFileSync(file, JSON.stringify({ Users: open }));
  process.env.USERS_TOKEN = '';
  assert.equal(readEndpoint(file).token, undefined);
});
