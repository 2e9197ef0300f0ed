// Proves that what was deployed is called by every protocol, with the key of its secret, and that nothing is written; and
// that a service that does not answer, or a key that does not let in, fails with a sentence that says what to do.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { createUsersClient } from '../../client/client.ts';
import { fromHere, root } from '../support/process.ts';
import { serveDeployed } from './serving.ts';

async function serve(t: TestContext) {
  const deployed = await serveDeployed(t);
  const bin = join(deployed.folder, 'bin');
  mkdirSync(bin);
  const env = { ...fromHere(), PATH: `${bin}:${process.env.PATH}` };
  const tried = async (args: readonly string[] = [], more: NodeJS.ProcessEnv = {}) => {
    const child = spawn('.ci/deliver', ['try', deployed.outputs, ...args], {
      cwd: root,
      env: { ...env, ...more },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
    const [code] = await once(child, 'close');
    return { code, said };
  };
  /** Stands in for the AWS CLI: the keys of the secret, a line each, as they are while one is replaced. */
  const keys = (...lines: string[]) =>
    deployed.file(
      'bin/aws',
      [
        '#!/bin/sh',
        '[ "$*" = "secretsmanager get-secret-value --query SecretString --output text --secret-id arn:of:the:secret" ] || exit 3',
        ...lines.map((it) => `echo ${it}`),
      ].join('\n'),
      0o755,
    );
  return { ...deployed, tried, keys };
}

it('calls every protocol with the key of the secret, and writes nothing', async (t) => {
  const { tried, keys, token, endpoint, ca } = await serve(t);
  keys(token, 'x'.repeat(43));
  const { code, said } = await tried();
  assert.equal(code, 0, said);
  assert.deepEqual(
    said
      .trim()
      .split('\n')
      .map((line) => line.split(':')[0]),
    ['grpc', 'grpc-web', 'connect'],
  );
  using users = createUsersClient({ endpoint, token, tls: { ca } });
  assert.deepEqual((await users.listUsers({})).user, []);
});

it('calls a Web Function by what it carries, and takes a key that is given', async (t) => {
  const { tried, token } = await serve(t);
  const { code, said } = await tried(['--http1'], { USERS_TOKEN: token });
  assert.equal(code, 0, said);
  assert.deepEqual(
    said
      .trim()
      .split('\n')
      .map((line) => line.split(':')[0]),
    ['connect', 'grpc-web'],
  );
});

it('fails with what is wrong and what to do, where the key does not let in', async (t) => {
  const { tried, keys } = await serve(t);
  keys('x'.repeat(43));
  const { code, said } = await tried([], { GITHUB_ACTIONS: 'true' });
  assert.equal(code, 1);
  assert.match(said, /^https:\/\/localhost:\d+ does not answer as it should, by grpc: .*UNAUTHENTICATED/m);
  assert.match(said, /^::error::try: .*revert on main/m);
});
