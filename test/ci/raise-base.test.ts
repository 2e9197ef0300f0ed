// Proves that `npm run raise:base` pins what the tag of the base is now, by the digest of what the registry sends and
// not of what it says; that it asks for a token where it needs one; that it says what it did; and that it leaves the
// Dockerfile as it was when the registry fails, or lacks a platform. The registry is a server of this test.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../.ci/node/raise-base.ts', import.meta.url));
const dockerfile = fileURLToPath(new URL('../../functions/users/Dockerfile', import.meta.url));
const index = (...architectures: string[]) =>
  JSON.stringify({
    manifests: architectures.map((architecture) => ({ platform: { os: 'linux', architecture } })),
  });
const both = index('amd64', 'arm64');
const digest = `sha256:${createHash('sha256').update(both).digest('hex')}`;

/** A registry that wants a token for a name, and a Dockerfile that builds on it. */
async function serve(t: TestContext, manifest: string, status = 200) {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const { url = '', headers } = request;
    asked.push(url);
    if (url.startsWith('/token?')) return response.end('{"token":"t"}');
    if (headers.authorization !== 'Bearer t') {
      const challenge = `Bearer realm="${origin}/token",service="test",scope="repository:a/base:pull"`;
      return response.writeHead(401, { 'www-authenticate': challenge }).end();
    }
    return response.writeHead(status, { 'docker-content-digest': 'sha256:another' }).end(manifest);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const folder = mkdtempSync(join(tmpdir(), 'users-base-'));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'Dockerfile');
  const base = `127.0.0.1:${port}/a/base:nonroot`;
  const write = (text: string) => writeFileSync(file, text);
  write(`# A comment\nARG BASE=${base}\nFROM \${BASE}\n`);
  const raise = async (...args: string[]) => {
    const child = spawn(process.execPath, [script, ...args, file]);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
    const [code] = await once(child, 'close');
    return { code, said };
  };
  return { asked, base, raise, write, read: () => readFileSync(file, 'utf8') };
}

it('pins the digest of what the registry sends, and then has nothing to do', async (t) => {
  const { asked, base, raise, read } = await serve(t, both);
  const first = await raise();
  assert.deepEqual([first.code, read()], [0, `# A comment\nARG BASE=${base}@${digest}\nFROM \${BASE}\n`]);
  assert.match(first.said, new RegExp(`the tag alone -> ${digest}`));
  const token = '/token?service=test&scope=repository%3Aa%2Fbase%3Apull';
  assert.deepEqual(asked, ['/v2/a/base/manifests/nonroot', token, '/v2/a/base/manifests/nonroot']);
  for (const args of [[], ['--dry-run']]) {
    const again = await raise(...args);
    assert.deepEqual([again.code, again.said.includes(`is ${digest}, as in`)], [0, true]);
  }
});

it('raises a pinned one, and with --dry-run only says so', async (t) => {
  const { base, raise, read, write } = await serve(t, both);
  const old = `ARG BASE=${base}@sha256:${'0'.repeat(64)}\n`;
  write(old);
  const dry = await raise('--dry-run');
  assert.deepEqual([dry.code, read()], [1, old]);
  assert.match(dry.said, /npm run raise:base/);
  assert.equal((await raise()).code, 0);
  assert.equal(read(), `ARG BASE=${base}@${digest}\n`);
});

for (const [name, manifest, status, message] of [
  ['the registry fails', both, 500, /answers 500/],
  ['a platform is missing', index('amd64'), 200, /has nothing for linux\/arm64/],
  ['it is no list of images', '{"layers":[]}', 200, /has nothing for linux\/amd64, linux\/arm64/],
] as const) {
  it(`leaves the Dockerfile as it is when ${name}`, async (t) => {
    const { raise, read } = await serve(t, manifest, status);
    const before = read();
    const { code, said } = await raise();
    assert.deepEqual([code, read()], [1, before]);
    assert.match(said, message);
  });
}

it('finds the base in the Dockerfile of the service', () => {
  assert.match(
    readFileSync(dockerfile, 'utf8'),
    /^ARG BASE=gcr\.io\/[\w./-]+:nonroot(@sha256:[0-9a-f]{64})?$/m,
  );
});
