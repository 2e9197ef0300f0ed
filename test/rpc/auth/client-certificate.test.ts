// Proves that a client is known by the name in its certificate, over real TLS and as a load balancer tells it, by the
// same rules; and that no certificate whose authority has been careless passes for another's: whatever stands in a name
// stays one name.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import tls, { TLSSocket } from 'node:tls';
import { Code } from '@connectrpc/connect';
import fc from 'fast-check';
import { certificateName } from '../../../functions/rpc/auth/certificate-name.ts';
import { type CertificateOptions, callerOf, certificateWay } from '../../../functions/rpc/index.ts';
import { createAuthority } from '../../support/certificates.ts';
import { endsWith } from '../../support/outcome.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { Echo } from '../gen/echo_pb.js';
import { requestOf } from './request.ts';

const authority = await createAuthority();
type Names = Parameters<typeof authority.issue>[0];

const nameOfPair = async (names: Names) =>
  certificateName(new X509Certificate((await authority.issue(names)).cert));

const id = 'spiffe://example.org/ns/users/sa/billing';

describe('the name of a certificate', () => {
  const cases: [what: string, Names, expected: string | undefined][] = [
    ['its SPIFFE id first', { dns: ['a.example'], uri: ['https://a.example/', id] }, id],
    ['the first of its SPIFFE ids', { uri: [id, `${id}/other`] }, id],
    [
      'else its first DNS name',
      { dns: ['a.example', 'b.example'], uri: ['https://c.example/'] },
      'a.example',
    ],
    ['else its common name', { commonName: ['tom'], ip: ['127.0.0.1'] }, 'tom'],
    [
      'its common name where there is no other',
      { commonName: ['Tom of Bree, CN=root'] },
      'Tom of Bree, CN=root',
    ],
    ['none where it has two common names', { commonName: ['tom', 'root'] }, undefined],
    ['none where it has none', { commonName: [] }, undefined],
    ['none where it ends at a NUL for some', { commonName: ['root\0.example'] }, undefined],
    ['none where it has a line break', { commonName: ['root\nCN=tom'] }, undefined],
    ['none where it is not ASCII', { commonName: ['rооt'] }, undefined],
    ['none where it begins with a space', { commonName: [' root'] }, undefined],
    ['the whole of a long one', { uri: [id + '/a'.repeat(500)] }, id + '/a'.repeat(500)],
    ['none where a common name passes for a SPIFFE id', { commonName: [id] }, undefined],
    ['none where a DNS name does', { dns: [id] }, undefined],
    ['none where it does so in capitals', { commonName: [id.replace('spiffe', 'SPIFFE')] }, undefined],
    ['the whole of a DNS name with a comma', { dns: [`a, URI:${id}`] }, `a, URI:${id}`],
    ['the whole of one with a quote', { dns: [`a", URI:${id}`] }, `a", URI:${id}`],
    [
      'the whole of one with an escaped quote',
      { dns: [`a\\", URI:${id}, DNS:"b`] },
      `a\\", URI:${id}, DNS:"b`,
    ],
    ['the whole of a URI with a comma', { uri: [`${id}, DNS:root`] }, `${id}, DNS:root`],
    ['the DNS name after a URI with a comma', { dns: ['b.example'], uri: [`x:, URI:${id}`] }, 'b.example'],
  ];
  for (const [what, names, expected] of cases) {
    it(what, async () => assert.equal(await nameOfPair(names), expected));
  }

  it('is the first DNS name, or none, whatever is in it and behind it', async () => {
    const text = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 30 });
    const hostile = fc.oneof(
      text,
      text.map((it) => `${it}", URI:${id}`),
      text.map((it) => `${it}\\", DNS:${it}, URI:${id}`),
    );
    await fc.assert(
      fc.asyncProperty(hostile, text, async (first, second) => {
        const name = await nameOfPair({ dns: [first, second] });
        assert.ok(name === undefined || name === first, `${name} of ${first}`);
      }),
      { numRuns: 200 },
    );
  });
});

const clients = { 'tom.example': ['echo.call'], [id]: ['*'], nobody: [] };

describe('over TLS', () => {
  const serveTls = async (t: TestContext, options: CertificateOptions) => {
    const scopes = Object.fromEntries(
      Echo.methods.map(({ name }) => [`/${Echo.typeName}/${name}`, ['echo.call']]),
    );
    return serve(
      t,
      { unary: (_, context) => ({ text: callerOf(context)?.id ?? '' }) },
      {
        tls: { ...(await authority.issue({ ip: ['127.0.0.1'] })), clientCa: authority.ca },
        auth: { scopes, ways: [certificateWay(options)] },
      },
    );
  };
  const show = async (names: Names) => ({ tls: { ca: authority.ca, ...(await authority.issue(names)) } });

  for (const wire of wires) {
    it(`knows who shows a certificate of the authority, ${nameOf(wire)}`, async (t) => {
      const serving = await serveTls(t, { clients });
      const tom = echoOf(serving, wire, await show({ dns: ['tom.example'] }));
      assert.equal((await tom.unary({})).text, 'certificate:tom.example');
      const billing = echoOf(serving, wire, await show({ uri: [id], dns: ['nobody'] }));
      assert.equal((await billing.unary({})).text, `certificate:${id}`);
    });
  }

  const [grpc] = wires;
  assert.ok(grpc);

  it('who has no row may do what the row * says', async (t) => {
    const stranger = await show({ dns: ['stranger.example'] });
    const open = await serveTls(t, { clients: { ...clients, '*': ['echo.call'] } });
    assert.equal((await echoOf(open, grpc, stranger).unary({})).text, 'certificate:stranger.example');
    const nobody = echoOf(open, grpc, await show({ dns: ['nobody'] }));
    assert.match((await endsWith(Code.PermissionDenied, nobody.unary({}))).rawMessage, /: echo\.call$/);
  });

  it('who has no row, where there is no row *, is known, and may do nothing that needs a scope', async (t) => {
    const stranger = await show({ dns: ['stranger.example'] });
    const closed = await serveTls(t, { clients });
    const error = await endsWith(Code.PermissionDenied, echoOf(closed, grpc, stranger).unary({}));
    assert.match(error.rawMessage, /: echo\.call$/);
    await closed.line(({ caller }) => caller === 'certificate:stranger.example');
  });

  it('who has a certificate without a name is nobody', async (t) => {
    const serving = await serveTls(t, { clients: { '*': ['*'] } });
    const echo = echoOf(serving, grpc, await show({ commonName: [id] }));
    await endsWith(Code.Unauthenticated, echo.unary({}));
  });

  it('looks at a certificate once in a connection', async (t) => {
    const serving = await serveTls(t, { clients });
    const look = t.mock.method(TLSSocket.prototype, 'getPeerX509Certificate');
    const echo = echoOf(serving, grpc, await show({ dns: ['tom.example'] }));
    for (let call = 0; call < 5; call += 1) await echo.unary({});
    assert.equal(look.mock.callCount(), 1);
  });

  it('knows nobody by a certificate of another authority, where TLS itself lets it in', async (t) => {
    const other = await createAuthority();
    const server = tls.createServer({
      ...(await authority.issue({ ip: ['127.0.0.1'] })),
      ca: authority.ca,
      requestCert: true,
      rejectUnauthorized: false,
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const way = certificateWay({ clients: { '*': ['*'] } });
    for (const [issuer, isKnown] of [
      [authority, true],
      [other, false],
    ] as const) {
      const own = await issuer.issue({ dns: ['tom.example'] });
      const socket = tls.connect({ ca: authority.ca, port: address.port, host: '127.0.0.1', ...own });
      t.after(() => socket.destroy());
      const [there]: TLSSocket[] = await once(server, 'secureConnection');
      assert.equal(there?.getPeerX509Certificate()?.subjectAltName, 'DNS:tom.example');
      const caller = await way.identify(requestOf({ tls: there }));
      assert.equal(caller?.name, isKnown ? 'tom.example' : undefined);
    }
  });
});

describe('as an Application Load Balancer tells it', () => {
  /** PEM in the encoding of the header: `+`, `=` and `/` are safe. */
  const encoded = (pem: string) =>
    encodeURIComponent(pem).replaceAll('%2B', '+').replaceAll('%3D', '=').replaceAll('%2F', '/');
  const leaf = async (names: Names) => encoded(`${(await authority.issue(names)).cert}\n`);
  const nameBy = async (header: string | undefined, way = certificateWay({ clients, header: 'alb' })) =>
    (await way.identify(requestOf({ headers: { 'x-amzn-mtls-clientcert-leaf': header } })))?.id;

  it('knows who has the certificate in the header', async () => {
    assert.equal(await nameBy(await leaf({ dns: ['tom.example'] })), 'certificate:tom.example');
    assert.equal(await nameBy(await leaf({ uri: [id] })), `certificate:${id}`);
    assert.equal(await nameBy(await leaf({ commonName: [id] })), undefined);
  });

  it('knows nobody by anything else', async () => {
    const tom = await leaf({ dns: ['tom.example'] });
    const root = await leaf({ uri: [id] });
    for (const header of [
      undefined,
      '',
      'tom.example',
      '%',
      tom.slice(0, 300),
      // What a proxy makes of two headers: a client may have sent the first.
      `${root}, ${tom}`,
      `${root}${tom}`,
      `x${tom}`,
      `${tom}${'%0A'.repeat(10_000)}`,
    ]) {
      assert.equal(await nameBy(header), undefined, header);
    }
  });

  it('takes no header where it is not told to', async () => {
    assert.equal(await nameBy(await leaf({ dns: ['tom.example'] }), certificateWay({ clients })), undefined);
  });

  it('remembers as many as it may', async (t) => {
    const way = certificateWay({ clients, header: 'alb', limits: { maxRememberedCertificates: 2 } });
    const headers = await Promise.all(['a', 'b', 'c'].map((it) => leaf({ dns: [it] })));
    const read = t.mock.getter(X509Certificate.prototype, 'subjectAltName');
    const [a, b, c] = headers;
    for (const header of [a, b, a, b, a, b]) await nameBy(header, way);
    assert.equal(read.mock.callCount(), 2);
    await nameBy(c, way);
    assert.equal(read.mock.callCount(), 3);
    assert.equal(await nameBy(a, way), 'certificate:a');
    assert.equal(read.mock.callCount(), 4, 'the oldest was forgotten');
    await nameBy(c, way);
    assert.equal(read.mock.callCount(), 4);
  });
});
