// Proves that what was deployed is called by every protocol that it carries, each stack of it, with the key of the
// secret, and that nothing is written; that what does not answer as it should fails with a sentence that says what to
// do; and that what its caller lacks, such as the key, is told as such, with another exit code.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { createUsersClient } from '../../client/client.ts';
import { ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { listen } from '../support/listener.ts';
import { fromHere, root } from '../support/process.ts';
import { serveDeployed } from './serving.ts';

async function serve(t: TestContext) {
  const deployed = await serveDeployed(t);
  const bin = join(deployed.folder, 'bin');
  mkdirSync(bin);
  const env = { ...fromHere(), PATH: `${bin}:${process.env.PATH}` };
  const tried = async (args: readonly string[] = [deployed.outputs], more: NodeJS.ProcessEnv = {}) => {
    const child = spawn('.ci/deliver', ['try', ...args], {
      cwd: root,
      env: { ...env, ...more },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
    const [code] = await once(child, 'close');
    return { code, said };
  };
  const asked = 'secretsmanager get-secret-value --query SecretString --output text';
  /** Stands in for the AWS CLI: the keys of the secret, a line each, as they are while one is replaced. */
  const keys = (...lines: string[]) =>
    deployed.file(
      'bin/aws',
      [
        '#!/bin/sh',
        `[ "$*" = "${asked} --secret-id ${deployed.secret} --region eu-central-1" ] || exit 3`,
        ...lines.map((it) => `echo ${it}`),
      ].join('\n'),
      0o755,
    );
  return { ...deployed, tried, keys };
}

/** How the lines begin: with the protocols that were called, in turn, where all went well. */
function waysOf(said: string): string[] {
  return said
    .trim()
    .split('\n')
    .map((line) => line.split(':')[0] ?? '');
}

/**
 * Something that answers each call with this status of HTTP, and with a reason as Connect has it, in place of a
 * function.
 */
async function functionThatSays(t: TestContext, status: number, reason?: string) {
  const info = toBinary(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: 'users' }));
  const details = [{ type: ErrorInfoSchema.typeName, value: Buffer.from(info).toString('base64') }];
  const body = JSON.stringify({ code: 'permission_denied', details });
  const listener = await listen(
    createServer((_, response) => {
      response.writeHead(status, { connection: 'close', 'content-type': 'application/json' });
      response.end(reason && body);
    }),
  );
  t.after(() => listener[Symbol.asyncDispose]());
  return { Endpoint: listener.endpoint, Home: 'function' };
}

it('calls every protocol with the key of the secret, and writes nothing', async (t) => {
  const { tried, keys, token, endpoint, ca } = await serve(t);
  keys(token, 'x'.repeat(43));
  const { code, said } = await tried();
  assert.equal(code, 0, said);
  assert.deepEqual(waysOf(said), ['grpc', 'grpc-web', 'connect']);
  using users = createUsersClient({ endpoint, token, tls: { ca } });
  assert.deepEqual((await users.listUsers({})).user, []);
});

it('leaves gRPC out with --http1, wherever that stands, and takes a key that is given', async (t) => {
  const { tried, keys, token, outputs } = await serve(t);
  const given = await tried([outputs, '--http1'], { USERS_TOKEN: token });
  keys(token);
  const read = await tried(['--http1', outputs]);
  for (const { code, said } of [given, read]) {
    assert.equal(code, 0, said);
    assert.deepEqual(waysOf(said), ['connect', 'grpc-web']);
  }
});

it('calls both homes, and a function by what it carries', async (t) => {
  const { tried, keys, token, file, stack } = await serve(t);
  keys(token);
  const { Endpoint, Ca } = stack;
  const both = { Users: stack, UsersFunction: { Endpoint, Ca, Home: 'function' } };
  const { code, said } = await tried([file('both.json', JSON.stringify(both))]);
  assert.equal(code, 0, said);
  assert.deepEqual(waysOf(said), ['grpc', 'grpc-web', 'connect', 'connect', 'grpc-web']);
});

it('fails with what to do, where one home does not answer as it should', async (t) => {
  const { tried, file, token, stack } = await serve(t);
  const UsersFunction = await functionThatSays(t, 404);
  const both = file('both.json', JSON.stringify({ UsersFunction, Users: stack }));
  const { code, said } = await tried([both], { GITHUB_ACTIONS: 'true', USERS_TOKEN: token });
  assert.equal(code, 1);
  assert.match(said, /^http:\/\/\S+ does not answer as it should, by connect: UNIMPLEMENTED/m);
  assert.match(said, /^connect: Users at https:\S+ is SERVING/m, 'the other one is called all the same');
  assert.match(said, /^::error::try: .*revert on main/m);
  // The key is wrong for the containers, which says nothing of them, but the function fails by itself.
  assert.equal((await tried([both], { USERS_TOKEN: 'x'.repeat(43) })).code, 1);
});

it('says that the caller is at fault, where the key does not let in', async (t) => {
  const { tried, keys, file } = await serve(t);
  keys('x'.repeat(43));
  const wrong = await tried(undefined, { GITHUB_ACTIONS: 'true' });
  assert.match(
    wrong.said,
    /^https:\/\/localhost:\d+ does not let the caller in, by grpc: .*UNAUTHENTICATED/m,
  );
  assert.match(wrong.said, /^::error::try: .*says nothing about the version/m);
  const UsersFunction = await functionThatSays(t, 403);
  const unsigned = await tried([file('iam.json', JSON.stringify({ UsersFunction }))]);
  assert.match(unsigned.said, /does not let the caller in, by connect: PERMISSION_DENIED.*users\.list/);
  for (const { code, said } of [wrong, unsigned]) {
    assert.equal(code, 2);
    assert.doesNotMatch(said, /revert/);
  }
});

it('fails where a proxy in front lacks its proof: that is how it was deployed', async (t) => {
  const { tried, file } = await serve(t);
  const UsersFunction = await functionThatSays(t, 403, 'BESIDE_PROXY');
  const { code, said } = await tried([file('edge.json', JSON.stringify({ UsersFunction }))]);
  assert.equal(code, 1, said);
  assert.match(said, /does not answer as it should, by connect: PERMISSION_DENIED/);
});

it('says what is missing, and nothing of the version, where it can not call at all', async (t) => {
  const { tried, file, outputs } = await serve(t);
  const none = await tried(['none.json']);
  const option = await tried([outputs, '--http2']);
  file('bin/aws', '#!/bin/sh\necho Unable to locate credentials >&2; exit 253', 0o755);
  const keyless = await tried();
  for (const [{ code, said }, sentence] of [
    [none, /^none\.json can't be read: deploy with --outputs-file none\.json first\ntry: /],
    [option, /^Unknown option '--http2'.*\ntry: /],
    [keyless, /^the key in arn:\S+ can't be read: Unable to locate credentials\. Set USERS_TOKEN .*\ntry: /],
  ] as const) {
    assert.match(said, sentence);
    assert.doesNotMatch(said, /revert|\n {4}at /);
    assert.equal(code, 2);
  }
});
