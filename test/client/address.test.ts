// Proves where an endpoint leads: what is this machine, to which a token may go without TLS; a Unix socket; and the
// proxy of the environment, by which a client leaves a network, in each protocol.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { Code } from '@connectrpc/connect';
import { createUsersClient, type UsersClientOptions } from '../../client/client.ts';
import { parseAddress } from '../../client/connection/address.ts';
import { proxyFor } from '../../client/connection/proxy.ts';
import { createAuthority } from '../support/certificates.ts';
import { UsersCommand } from './command.ts';
import { startServer } from './server.ts';

const tom = { username: 'tom' };
const ways: Pick<UsersClientOptions, 'protocol' | 'httpVersion'>[] = [
  { protocol: 'grpc' },
  { protocol: 'connect' },
  { protocol: 'grpc-web', httpVersion: '1.1' },
];

for (const host of [
  'localhost',
  '127.0.0.1',
  '127.1.2.3',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[::FFFF:7f00:1]',
]) {
  test(`http://${host} is this machine: a token may go there`, () => {
    createUsersClient({ endpoint: `http://${host}:50051`, token: 'abra' }).close();
  });
}

for (const host of ['127.example.com', '128.0.0.1', '[::ffff:10.0.0.1]', '[::]', 'localhost.example.com']) {
  test(`http://${host} may be another machine: no token goes there`, () => {
    const endpoint = `http://${host}:50051`;
    assert.throws(() => createUsersClient({ endpoint, token: 'abra' }), /a token is not sent to http:/);
  });
}

test('a token arrives at [::ffff:127.0.0.1]', async () => {
  const tokens: (string | null)[] = [];
  const authorities: (string | undefined)[] = [];
  await using server = await startServer(
    {
      createUser(_, { requestHeader }) {
        tokens.push(requestHeader.get('authorization'));
        return {};
      },
    },
    { onCall: (authority) => authorities.push(authority) },
  );
  using client = createUsersClient({ endpoint: `http://[::ffff:127.0.0.1]:${server.port}`, token: 'abra' });
  await client.createUser(tom);
  assert.deepEqual(tokens, ['Bearer abra']);
  assert.deepEqual(authorities, [`[::ffff:7f00:1]:${server.port}`]);
});

/** A folder with a Unix socket that leads to the port. */
async function startSocket(port: number): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'users-socket-'));
  const path = join(folder, 'users.sock');
  const server = net.createServer((client) => {
    const upstream = net.connect({ host: '127.0.0.1', port });
    client.pipe(upstream).pipe(client);
    client.on('error', () => {}).on('close', () => upstream.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
      rmSync(folder, { recursive: true });
    },
  };
}

for (const way of ways) {
  test(`${way.protocol} over HTTP/${way.httpVersion ?? 2}: a Unix socket, to which a token may go`, async () => {
    const authorities: (string | undefined)[] = [];
    await using server = await startServer(
      {},
      { http1: way.httpVersion === '1.1', onCall: (authority) => authorities.push(authority) },
    );
    await using socket = await startSocket(server.port);
    for (const endpoint of [`unix:${socket.path}`, `unix://${socket.path}`]) {
      using client = createUsersClient({ ...way, endpoint, token: 'abra' });
      await client.ready();
      assert.equal((await client.createUser(tom)).user?.username, 'tom');
    }
    assert.deepEqual(new Set(authorities), new Set(['localhost']));
  });
}

test('a Unix socket that is not there is told of by its path; the command takes one too', async () => {
  await using server = await startServer();
  await using socket = await startSocket(server.port);
  using client = createUsersClient({ endpoint: `unix:${socket.path}x`, retry: { maxAttempts: 1 } });
  await assert.rejects(client.createUser(tom), {
    code: Code.Unavailable,
    rawMessage: `no connection: connect ENOENT ${socket.path}x`,
    neverSent: true,
  });
  await assert.rejects(client.ready({ timeoutMs: 50 }), {
    rawMessage: new RegExp(`^could not connect to unix:${socket.path}x within 50 ms`),
  });
  using users = new UsersCommand(`unix:${socket.path}`);
  assert.equal((await users.run(['create', 'tom'])).out, 'User created: tom (id 1)\n');
});

for (const [endpoint, message] of [
  ['unix:', /unix:\/path$/],
  ['unix://host/path', /unix:\/path$/],
  [`unix:/${'x'.repeat(107)}`, /write a path of up to 107 bytes$/],
] as const) {
  test(`an endpoint that can not be meant: ${endpoint.slice(0, 40)}`, () => {
    assert.throws(() => parseAddress(endpoint), { name: 'TypeError', message });
  });
}

test('https_proxy is for hosts that no_proxy does not have', () => {
  const proxy = 'http://proxy.test:3128';
  const to = (host: string, noProxy: string, port = 443) =>
    proxyFor(host, port, { https_proxy: proxy, no_proxy: noProxy })?.origin;
  assert.equal(proxyFor('a.test', 443, {}), undefined);
  assert.equal(proxyFor('a.test', 443, { HTTPS_PROXY: proxy })?.origin, proxy);
  assert.equal(proxyFor('a.test', 443, { HTTPS_PROXY: proxy, NO_PROXY: 'a.test' }), undefined);
  for (const [host, list] of [
    ['a.test', '*'],
    ['a.test', 'b.test, a.test'],
    ['x.a.test', 'a.test'],
    ['x.a.test', '.a.test'],
    ['x.a.test', '*.A.test'],
    ['a.test', 'a.test:443'],
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.3', '10.0.0.0/8'],
    ['fd00::1', '[fd00::1]:443'],
    ['fd00::1', 'fd00::/8'],
  ] as const) {
    assert.equal(to(host, list), undefined, `${host} in ${list}`);
  }
  for (const [host, list] of [
    ['a.test', ''],
    ['ba.test', 'a.test'],
    ['a.test', 'x.a.test'],
    ['a.test', 'a.test:8443'],
    ['10.1.2.3', '11.0.0.0/8'],
    ['10.1.2.3', '10.0.0.0/99'],
    ['10.1.2.3', '2.3'],
    ['fd00::1', 'fe00::/8'],
  ] as const) {
    assert.equal(to(host, list), proxy, `${host} not in ${list}`);
  }
  assert.throws(() => proxyFor('a.test', 443, { https_proxy: 'me:secret@proxy' }), {
    message: 'https_proxy in the environment: write it as http://host:port',
  });
});

/** A proxy that leads every CONNECT to the port, or answers it with a status. */
async function startProxy(port: number, status = 200) {
  const asked: (string | undefined)[][] = [];
  const sockets: Duplex[] = [];
  const proxy = http.createServer().on('connect', (request, client) => {
    asked.push([request.url, request.headers['proxy-authorization']]);
    sockets.push(client);
    client.on('error', () => {});
    if (status !== 200) return client.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const upstream = net.connect({ host: '127.0.0.1', port });
    client.write('HTTP/1.1 200 Yes\r\n\r\n');
    client.on('close', () => upstream.destroy());
    return client.pipe(upstream).pipe(client);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  // A server on a port, not on a pipe, has an address with a port.
  const { port: own } = proxy.address() as AddressInfo;
  return {
    asked,
    url: `http://me:pass%40word@127.0.0.1:${own}`,
    async [Symbol.asyncDispose]() {
      const closed = once(proxy, 'close');
      proxy.close();
      await closed;
      for (const socket of sockets) assert.ok(socket.destroyed, 'a tunnel was left open');
    },
  };
}

for (const way of ways) {
  test(`${way.protocol} over HTTP/${way.httpVersion ?? 2}: by the proxy of the environment`, async (t) => {
    const authority = await createAuthority();
    await using server = await startServer({}, { tls: await authority.issue({ dns: ['users.test'] }) });
    await using proxy = await startProxy(server.port);
    t.after(() => {
      delete process.env.https_proxy;
    });
    process.env.https_proxy = proxy.url;
    using client = createUsersClient({
      ...way,
      endpoint: 'https://users.test:8443',
      tls: { ca: authority.ca },
    });
    await client.createUser(tom);
    await client.createUser(tom);
    assert.deepEqual(proxy.asked, [['users.test:8443', `Basic ${btoa('me:pass@word')}`]]);
    // To this machine there is no need of one.
    using direct = createUsersClient({ ...way, endpoint: server.endpoint, tls: { ca: authority.ca } });
    await assert.rejects(direct.createUser(tom), { rawMessage: /^TLS failed: .*not in the cert's list/ });
    assert.equal(proxy.asked.length, 1);
  });

  test(`${way.protocol} over HTTP/${way.httpVersion ?? 2}: a proxy that refuses is named, without its password`, async (t) => {
    await using proxy = await startProxy(0, 407);
    t.after(() => {
      delete process.env.https_proxy;
    });
    process.env.https_proxy = proxy.url;
    using client = createUsersClient({ ...way, endpoint: 'https://users.test', retry: { maxAttempts: 1 } });
    const { host } = new URL(proxy.url);
    await assert.rejects(client.createUser(tom), {
      code: Code.Unavailable,
      rawMessage: `no connection: the proxy ${host} answers 407 to CONNECT users.test:443`,
      neverSent: true,
    });
  });

  test(`${way.protocol} over HTTP/${way.httpVersion ?? 2}: a proxy that does not answer holds no client that is closed`, async (t) => {
    const silent = net.createServer((socket) => socket.on('error', () => {}).resume());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    // A server on a port, not on a pipe, has an address with a port.
    const { port } = silent.address() as AddressInfo;
    t.after(() => {
      delete process.env.https_proxy;
    });
    process.env.https_proxy = `http://127.0.0.1:${port}`;
    const options = { ...way, endpoint: 'https://users.test', retry: { maxAttempts: 1 } };
    using late = createUsersClient({ ...options, connectTimeoutMs: 50 });
    await assert.rejects(late.createUser(tom), {
      code: Code.Unavailable,
      rawMessage: `no connection: the proxy 127.0.0.1:${port} can not be used: did not answer within 50 ms`,
    });
    const client = createUsersClient({ ...options, deadlineMs: 0 });
    const connected = once(silent, 'connection');
    const call = client.createUser(tom);
    await connected;
    client.close();
    await assert.rejects(call);
    silent.close();
    await once(silent, 'close');
  });
}
