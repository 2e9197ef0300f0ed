// Proves that deployments are read from their outputs with the key that USERS_TOKEN holds, or else the one of the
// secret, and that a sentence says what to do where that can't be read.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readEndpoints } from './endpoint.ts';

const folder = mkdtempSync(join(tmpdir(), 'users-endpoint-'));
const file = join(folder, 'outputs.json');
const { USERS_TOKEN, PATH } = process.env;
after(() => {
  rmSync(folder, { recursive: true });
  // An undefined one would become a text.
  if (USERS_TOKEN === undefined) delete process.env.USERS_TOKEN;
  else process.env.USERS_TOKEN = USERS_TOKEN;
  process.env.PATH = PATH;
});

const secret = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf';
const outputs = { Endpoint: 'https://users.example.com', Ca: 'PEM', ApiKeySecret: secret };
const endpoint = {
  url: outputs.Endpoint,
  ca: 'PEM',
  serverName: undefined,
  token: 'sesame',
  isFunction: false,
};

/** Reads stacks with the key of the environment, and an AWS CLI that is a script, or none. */
function read(stacks: object, { token = '', aws }: { token?: string; aws?: string }) {
  writeFileSync(file, JSON.stringify(stacks));
  process.env.USERS_TOKEN = token;
  process.env.PATH = folder;
  rmSync(join(folder, 'aws'), { force: true });
  if (aws !== undefined) writeFileSync(join(folder, 'aws'), `#!/bin/sh\n${aws}\n`, { mode: 0o755 });
  return readEndpoints(file);
}

test('a closed deployment, with the key', () => {
  assert.deepEqual(read({ Users: outputs }, { token: 'sesame' }), [endpoint]);
});

test('a closed deployment, whose key is in the secret, in whose region it is asked for', () => {
  const aws = `[ "$*" = "secretsmanager get-secret-value --query SecretString --output text --secret-id ${secret} --region eu-central-1" ] && printf 'sesame\\nformer\\n'`;
  assert.deepEqual(read({ Users: outputs }, { aws }), [endpoint]);
});

test('a closed deployment, whose key nobody gives', () => {
  for (const [aws, said] of [
    ['echo; echo "Unable to locate credentials" >&2; exit 253', 'Unable to locate credentials'],
    [undefined, 'the AWS CLI does not start (spawnSync aws ENOENT)'],
  ] as const) {
    assert.throws(() => read({ Users: outputs }, { aws }), {
      message: `the key in ${secret} can't be read: ${said}. Set USERS_TOKEN to it, or give the AWS CLI credentials that may read it: docs/operating.md, "Who may call"`,
    });
  }
});

test('both homes, with the key of the one', () => {
  const url = 'https://function.example.com';
  const both = {
    Delivery: { PlanRole: 'arn' },
    UsersFunction: { Endpoint: url, Home: 'function' },
    Users: outputs,
  };
  assert.deepEqual(read(both, { token: 'sesame' }), [
    { ...endpoint, url, ca: undefined, isFunction: true },
    endpoint,
  ]);
});

test('a deployment that has no key', () => {
  const { ApiKeySecret, ...open } = outputs;
  assert.equal(read({ Users: open }, {})[0].token, undefined);
});

test('a file that is not there, or has no endpoint', () => {
  assert.throws(() => readEndpoints(join(folder, 'none.json')), {
    message: /none\.json can't be read: deploy with --outputs-file .*none\.json first$/,
  });
  assert.throws(() => read({ Delivery: { PlanRole: 'arn' } }, {}), {
    message: /has no stack with the output Endpoint$/,
  });
});
