// Proves, with the real process, that it starts as its settings say, and that a start that can't be is one clear
// line and an exit code that is not zero.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { Code, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { createUsersClient } from '../../client/client.ts';
import { Health } from '../../proto/gen/health/v1/health_pb.js';
import { createAuthority } from '../support/certificates.ts';
import { endsWith } from '../support/outcome.ts';
import { runMain } from '../support/process.ts';

/** Starts it with settings that can't be, and returns its only line. */
async function refusal(t: TestContext, settings: Record<string, string>): Promise<string> {
  const main = runMain(t, settings);
  const { code } = await main.ended;
  assert.notEqual(code, 0);
  const lines = main.errors().trimEnd().split('\n');
  assert.equal(lines.length, 1, main.errors());
  return lines[0] ?? '';
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'users-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

describe('a start that can not be is one line', () => {
  it('for a port in use', async (t) => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    t.after(() => taken.close());
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as net.AddressInfo; // of a listening TCP server
    const line = await refusal(t, { PORT: String(port) });
    assert.match(line, new RegExp(`${port}.*in use.*PORT`));
  });

  it('for an address of another machine', async (t) => {
    assert.match(await refusal(t, { HOST: '192.0.2.1', AUTH: 'none' }), /192\.0\.2\.1.*HOST/);
  });

  it('for a bad setting', async (t) => {
    assert.match(await refusal(t, { PORT: 'http' }), /PORT must be a whole number/);
  });

  it('for a data folder that can not be written', async (t) => {
    const line = await refusal(t, { USERS_STORE: 'sqlite', USERS_DATA: '/dev/null/x' });
    assert.match(line, /\/dev\/null\/x/);
  });

  it('for a data folder where none can be made', async (t) => {
    const line = await refusal(t, { USERS_STORE: 'sqlite', USERS_DATA: '/proc/nope/deep' });
    assert.match(line, /users file \/proc\/nope\/deep\/users\.sqlite: ENOENT/);
  });

  it('for DynamoDB without a region', async (t) => {
    const settings = { USERS_STORE: 'dynamodb', USERS_TABLE: 'users', AWS_CONFIG_FILE: '/dev/null' };
    assert.match(await refusal(t, settings), /Region is missing: set AWS_REGION$/);
  });

  it('for a store that has no room for the samples, also where one failure is one too many', async (t) => {
    const settings = { USERS_SAMPLES: '1', MAX_MEMORY_USERS: '1' };
    const line = 'cannot add the sample users: the store in memory is full: it takes 1 users';
    assert.equal(await refusal(t, settings), line);
    const atOnce = { UNREADY_AFTER_FAILURES: '1', UNREADY_AFTER_MS: '0' };
    assert.equal(await refusal(t, { ...settings, ...atOnce }), line);
  });

  it('for a certificate that is none', async (t) => {
    const { cert, key } = await (await createAuthority()).issue({ ip: ['127.0.0.1'] });
    const path = await folder(t);
    await writeFile(join(path, 'text.pem'), cert.replaceAll('CERTIFICATE', 'TEXT'));
    await writeFile(join(path, 'key.pem'), key);
    const files = { TLS_CERT_FILE: join(path, 'text.pem'), TLS_KEY_FILE: join(path, 'key.pem') };
    assert.match(await refusal(t, files), /^TLS_CERT_FILE \(.*text\.pem\) has no certificate in PEM$/);
  });
});

it('keeps its users in the data folder, samples too', async (t) => {
  const settings = { USERS_STORE: 'sqlite', USERS_DATA: join(await folder(t), 'new'), USERS_SAMPLES: '1' };
  const namesOf = async (create: boolean) => {
    const main = runMain(t, settings);
    const { port } = await main.line('listening');
    using client = createUsersClient({ endpoint: `http://127.0.0.1:${port}` });
    if (create) await client.createUser({ username: 'tom' });
    const names: string[] = [];
    const asked = ['alexa', 'christie', 'tom'].map((username) => ({ username }));
    for await (const { result } of client.getUsers({ user: asked })) names.push(`${result.case}`);
    main.child.kill('SIGTERM');
    assert.deepEqual(await main.ended, { code: 0, signal: null });
    return names;
  };
  assert.deepEqual(await namesOf(true), ['user', 'user', 'user']);
  assert.deepEqual(await namesOf(false), ['user', 'user', 'user']);
});

it('serves TLS, to clients with a certificate alone', async (t) => {
  const path = await folder(t);
  const authority = await createAuthority();
  const server = await authority.issue({ ip: ['127.0.0.1'] });
  const known = await authority.issue({ dns: ['client'] });
  const file = async (name: string, text: string) => {
    await writeFile(join(path, name), text, { mode: 0o600 });
    return join(path, name);
  };
  const main = runMain(t, {
    TLS_CERT_FILE: await file('cert.pem', server.cert),
    TLS_KEY_FILE: await file('key.pem', server.key),
    TLS_CLIENT_CA_FILE: await file('ca.pem', authority.ca),
  });
  const { port } = await main.line('listening');
  const endpoint = `https://127.0.0.1:${port}`;
  using client = createUsersClient({ endpoint, tls: { ca: authority.ca, ...known } });
  assert.equal((await client.createUser({ username: 'tom' })).user?.username, 'tom');
  using stranger = createUsersClient({ endpoint, tls: { ca: authority.ca }, retry: { maxAttempts: 1 } });
  await assert.rejects(stranger.createUser({ username: 'eve' }));
});

describe('shares are counted by the client that TRUSTED_PROXIES name:', () => {
  const cases: [proxies: string, what: string, first: string, other: string, isOther: boolean][] = [
    ['0', 'none, so the header says nothing', '192.0.2.1', '192.0.2.2', false],
    ['1', 'what the nearest one saw', '192.0.2.9, 192.0.2.1', '192.0.2.9, 192.0.2.2', true],
    ['1', 'not what the client made up', '192.0.2.8, 192.0.2.1', '192.0.2.9, 192.0.2.1', false],
    ['2', 'what the one before it saw', '192.0.2.1, 192.0.2.9', '192.0.2.2, 192.0.2.9', true],
  ];
  for (const [proxies, what, first, other, isOther] of cases) {
    it(`${proxies}: ${what}`, async (t) => {
      const main = runMain(t, { AUTH: 'none', TRUSTED_PROXIES: proxies, MAX_WATCHES_PER_CLIENT: '1' });
      const health = createClient(Health, createGrpcTransport({ baseUrl: await main.url() }));
      const watch = (forwardedFor: string) => {
        const watching = health.watch({}, { headers: { 'x-forwarded-for': forwardedFor } });
        return watching[Symbol.asyncIterator]().next();
      };
      await watch(first);
      if (isOther) assert.equal((await watch(other)).done, false);
      else await endsWith(Code.ResourceExhausted, watch(other));
    });
  }
});

it("says that it speaks HTTP/2 by Node's engine, and that this goes; of ours it says nothing", async (t) => {
  const main = runMain(t, { HTTP2_ENGINE: 'node' });
  assert.equal((await main.line('listening')).http2Engine, 'node');
  assert.ok(
    main.lines().some(({ level, msg }) => level === 40 && String(msg).startsWith('HTTP2_ENGINE=node goes')),
  );
  await main.stop();
  const other = runMain(t);
  assert.ok(!('http2Engine' in (await other.line('listening'))));
  assert.ok(!other.printed().includes('HTTP2_ENGINE'));
  await other.stop();
});

it('listens at a socket of this machine, for our client and for curl', async (t) => {
  const path = join(await folder(t), 'users.sock');
  const main = runMain(t, { HOST: `unix:${path}` });
  const listening = await main.line('listening');
  assert.equal(listening.host, `unix:${path}`);
  assert.ok(!('port' in listening));
  using users = createUsersClient({ endpoint: `unix:${path}` });
  assert.equal((await users.createUser({ username: 'tom' })).user?.username, 'tom');
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  http.get({ socketPath: path, path: '/users/?username=tom', agent: false }, resolve).on('error', reject);
  const answer = await promise;
  assert.match(await text(answer), /"username":"tom"/);
  assert.equal((await main.line('call')).peer, 'unix');
  assert.match(
    await refusal(t, { HOST: `unix:${path}` }),
    /^Another program listens at unix:.*users\.sock: end it/,
  );
  users.close();
  await main.stop();
});

it('takes the place of a socket that a killed server has left behind, and of nothing else', async (t) => {
  const path = await folder(t);
  const socket = join(path, 'users.sock');
  const first = runMain(t, { HOST: `unix:${socket}` });
  await first.line('listening');
  assert.ok(await first.kill());
  assert.ok(existsSync(socket));
  const second = runMain(t, { HOST: `unix:${socket}` });
  await second.line('listening');
  await second.stop();

  await writeFile(join(path, 'text'), 'mine');
  assert.match(await refusal(t, { HOST: `unix:${join(path, 'text')}` }), /text is a file, and no socket/);
  assert.equal(await readFile(join(path, 'text'), 'utf8'), 'mine');
  assert.match(await refusal(t, { HOST: `unix:${path}` }), / is a folder: name a file in it in HOST/);
  const nowhere = await refusal(t, { HOST: `unix:${join(path, 'none', 'users.sock')}` });
  assert.match(nowhere, /^The folder .*none does not exist/);
});

it('says how an address of IPv6 is written', async (t) => {
  assert.match(await refusal(t, { HOST: '[::1]' }), /^HOST must be ::1, without brackets/);
});
