// Proves that calls are made while a command runs, that it says so when all went well, that neither a failed command nor
// a service that is gone passes, and that no user of the load is left.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createUsersClient } from '../../client/client.ts';
import { createAuthority } from '../support/certificates.ts';
import { fromHere, ServerProcess } from '../support/process.ts';

const script = fileURLToPath(new URL('under-load.ts', import.meta.url));

async function serve(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'users-under-load-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const { ca, issue } = await createAuthority();
  const { cert, key } = await issue({ dns: ['localhost'] });
  const server = new ServerProcess({
    settings: {
      TLS_CERT_FILE: file('cert.pem', cert),
      TLS_KEY_FILE: file('key.pem', key),
      USERS_DATA: join(folder, 'data'),
      API_KEY: 'k'.repeat(43),
    },
  });
  t.after(() => server[Symbol.asyncDispose]());
  const { port } = await server.line('listening');
  const endpoint = `https://localhost:${port}`;
  const outputs = file('outputs.json', JSON.stringify({ Users: { Endpoint: endpoint, Ca: ca } }));
  const token = 'k'.repeat(43);
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

it('fails when the command does, or calls do', async (t) => {
  const { server, underLoad } = await serve(t);
  // What is gone for good stays so.
  const { code, said } = await underLoad('bash', '-c', `kill -KILL ${server.child.pid}; exit 3`);
  assert.equal(code, 1);
  assert.match(said, /bash ended with 3/);
  assert.match(said, /failed: gRPC /);
});
