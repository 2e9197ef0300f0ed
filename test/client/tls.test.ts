// Proves that the client trusts the given authority only, checks the name it calls, shows its own certificate, and
// says so when one of these fails, at once. All protocols over HTTP/2 and HTTP/1.1.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { before, test } from 'node:test';
import { Code } from '@connectrpc/connect';
import { createUsersClient, type UsersClientOptions } from '../../client/client.ts';
import { createAuthority, type Pair } from '../support/certificates.ts';
import { ways } from '../support/transports.ts';
import { startServer } from './server.ts';

const balancer = 'users-1234.eu-central-1.elb.amazonaws.test';
const tom = { username: 'tom' };

let ca: string;
let server: Pair;
let client: Pair;
let stranger: Pair & { ca: string };

before(async () => {
  const authority = await createAuthority();
  ca = authority.ca;
  server = await authority.issue({ dns: [balancer, 'localhost'] });
  client = await authority.issue({ dns: ['caller.test'] });
  const other = await createAuthority();
  stranger = { ca: other.ca, ...(await other.issue({ dns: [balancer] })) };
});

for (const way of ways) {
  const name = `${way.protocol} over HTTP/${way.httpVersion ?? 2}`;

  test(`${name}: a private authority, and a name that does not resolve`, async () => {
    const authorities: (string | undefined)[] = [];
    const onCall = (authority: string | undefined) => authorities.push(authority);
    await using service = await startServer({}, { tls: server, onCall });
    using users = createUsersClient({
      ...way,
      endpoint: service.endpoint,
      tls: { ca },
      serverName: balancer,
    });
    await users.createUser(tom);
    const { user } = await collect(users.getUsers({ user: [{ username: 'alexa' }] }));
    assert.equal(user?.username, 'alexa');
    const authority = `${balancer}:${service.port}`;
    assert.deepEqual(authorities, [authority, authority]);
  });

  test(`${name}: a certificate of another authority is refused at once`, async () => {
    await using service = await startServer({}, { tls: server });
    using users = createUsersClient({
      ...way,
      endpoint: service.endpoint,
      tls: { ca: stranger.ca },
      serverName: balancer,
    });
    await assert.rejects(users.createUser(tom), {
      code: Code.Unavailable,
      rawMessage: /^TLS failed: .*certificate/,
    });
    await assert.rejects(users.ready(), { rawMessage: /^TLS failed: .*certificate/ });
    assert.equal(service.sockets.length, 2, 'neither of the two calls was repeated');
  });

  test(`${name}: a certificate for another name is refused`, async () => {
    await using service = await startServer({}, { tls: server });
    using users = createUsersClient({ ...way, endpoint: service.endpoint, tls: { ca } });
    await assert.rejects(users.createUser(tom), {
      code: Code.Unavailable,
      rawMessage: /^TLS failed: .*127\.0\.0\.1.* not in the cert's list/,
    });
  });

  test(`${name}: mutual TLS shows the client's certificate`, async () => {
    await using service = await startServer(
      {},
      { tls: { ...server, ca, requestCert: true, rejectUnauthorized: true } },
    );
    const options = { ...way, endpoint: service.endpoint, serverName: balancer, retry: { maxAttempts: 1 } };
    using known = createUsersClient({ ...options, tls: { ca, ...client } });
    await known.createUser(tom);
    using unknown = createUsersClient({ ...options, tls: { ca, cert: stranger.cert, key: stranger.key } });
    await assert.rejects(unknown.createUser(tom), { code: Code.Unavailable });
    assert.throws(() => createUsersClient({ ...options, tls: { cert: client.cert, key: stranger.key } }), {
      message: 'tls.key is not the key of the certificate',
    });
    using nobody = createUsersClient({ ...options, tls: { ca } });
    await assert.rejects(nobody.createUser(tom), { code: Code.Unavailable });
  });
}

for (const [protocol, message] of [
  ['grpc', 'what listens there does not speak HTTP/2, which gRPC needs'],
  ['grpc-web', 'what listens there does not speak HTTP/2: choose HTTP/1.1'],
  ['connect', 'what listens there does not speak HTTP/2: choose HTTP/1.1'],
] as const) {
  test(`${protocol} over HTTP/2 to a server that speaks HTTP/1.1 only is told of at once`, async () => {
    await using http1 = await startServer({}, { http1: true });
    using users = createUsersClient({ endpoint: http1.endpoint, protocol });
    const refusal = { code: Code.Unavailable, rawMessage: message, neverSent: true };
    await assert.rejects(users.createUser(tom), refusal);
    await assert.rejects(users.ready(), { code: Code.Unavailable, rawMessage: message });
    const secure = https.createServer(server, (_, response) => response.end());
    secure.listen(0, '127.0.0.1');
    await once(secure, 'listening');
    // A server on a port, not on a pipe, has an address with a port.
    const { port } = secure.address() as AddressInfo;
    using overTls = createUsersClient({
      endpoint: `https://localhost:${port}`,
      protocol,
      tls: { ca },
    });
    await assert.rejects(overTls.createUser(tom), refusal).finally(() => secure.close());
    assert.equal(http1.sockets.length, 2, 'neither of the two calls was repeated');
  });
}

for (const [options, message] of [
  [{ endpoint: 'localhost:50051' }, /endpoint "localhost:50051": write it as http:/],
  [{ endpoint: 'ftp://x' }, /write it as http:/],
  [{ endpoint: 'https://x/users' }, /it takes scheme, host and port only/],
  [{ endpoint: 'https://me:secret@x' }, /^endpoint "https:\/\/x": it takes/],
  [{ endpoint: 'https://x', serverName: '10.0.0.1' }, /server name "10.0.0.1": write a DNS name/],
  [{ endpoint: 'https://x', serverName: 'a b' }, /write a DNS name/],
  [{ endpoint: 'https://x', tls: { ca: 'not a certificate' } }, /^tls\.ca has no certificate in PEM$/],
  [{ endpoint: 'https://x', tls: { cert: 'x' } }, /^tls\.key is missing/],
  [{ endpoint: 'http://x', tls: { ca: 'x' } }, /^tls\.ca is for https:/],
  [{ endpoint: 'http://x:0' }, /write a port up to 65535/],
  [{ endpoint: 'http://x', protocol: 'grpc', httpVersion: '1.1' }, /gRPC needs HTTP\/2/],
  [{ endpoint: 'http://users.example', token: 'secret' }, /^a token is not sent to http:\/\/users\.example/],
] as [UsersClientOptions, RegExp][]) {
  test(`options that can't be meant are refused: ${JSON.stringify(options)}`, () => {
    assert.throws(() => createUsersClient(options), { message });
  });
}

async function collect(results: AsyncIterable<{ result: { value?: { username: string } } }>) {
  for await (const { result } of results) return { user: result.value };
  return {};
}
