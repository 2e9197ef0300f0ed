// Proves that calls are made while a command runs, of a function those that reach one; that it says so when all went
// well; that neither a failed command nor a service that is gone passes; and that no user of the load is left.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createUsersClient } from '../../client/client.ts';
import { fromHere } from '../support/process.ts';
import { serveDeployed } from './serving.ts';

const script = fileURLToPath(new URL('under-load.ts', import.meta.url));

async function serve(t: TestContext, more: Record<string, string> = {}) {
  const { server, file, stack, endpoint, token, ca } = await serveDeployed(t);
  const outputs = file('more.json', JSON.stringify({ Users: { ...stack, ...more } }));
  const underLoad = async (...command: string[]) => {
    const env = { ...fromHere(), USERS_TOKEN: token };
    const child = spawn(process.execPath, [script, outputs, '--', ...command], { env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
    const [code] = await once(child, 'close');
    return { code, said };
  };
  return { server, underLoad, client: () => createUsersClient({ endpoint, token, tls: { ca } }) };
}

it('passes when no call fails, and leaves no user behind', async (t) => {
  const { underLoad, client } = await serve(t);
  const { code, said } = await underLoad(process.execPath, '-e', '');
  assert.equal(code, 0, said);
  for (const load of ['without retries', 'with retries'])
    assert.match(
      said,
      new RegExp(`${load}\\n[^]*\\nin all +[1-9]\\d+ +0 [^]*\\n[1-9]\\d* users signed up, 0 of them lost`),
    );
  using users = client();
  const left: string[] = [];
  for await (const { username } of users.listAllUsers({ usernamePrefix: 'load-' })) left.push(username);
  assert.deepEqual(left, []);
});

it('calls a function over HTTP/1.1, and by no gRPC', async (t) => {
  const { underLoad } = await serve(t, { Home: 'function' });
  const { code, said } = await underLoad(process.execPath, '-e', '');
  assert.equal(code, 0, said);
  assert.match(said, /\nConnect CreateUser +[1-9]/);
  assert.doesNotMatch(said, /\ngRPC |HTTP\/2/);
});

it('fails when the command does, or calls do', async (t) => {
  const { server, underLoad } = await serve(t);
  // What is gone for good stays so.
  const { code, said } = await underLoad('bash', '-c', `kill -KILL ${server.child.pid}; exit 3`);
  assert.equal(code, 1);
  assert.match(said, /bash ended with 3/);
  assert.match(said, /failed: gRPC /);
});
