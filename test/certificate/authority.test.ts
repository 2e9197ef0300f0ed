// Proves that TLS clients accept the issued certificate for its name when they trust the authority, and only then; that
// the authority can vouch for no other name; and that the dates are what ELB and the standards ask for.
import 'reflect-metadata'; // first: @peculiar/x509 finds its algorithms through it
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import tls from 'node:tls';
import * as x509 from '@peculiar/x509';
import {
  authorityDays,
  certificateDays,
  createAuthority,
  issueCertificate,
  type KeyPair,
} from '../../functions/certificate/authority.ts';

const name = 'users-1234567890.us-east-1.elb.amazonaws.com';
const dayMs = 24 * 60 * 60 * 1000;

/** Connects to a server with the certificate; resolves when the client accepts it, rejects with why it does not. */
async function handshake(server: KeyPair, authority: KeyPair, servername = name): Promise<void> {
  // As a load balancer presents it: the certificate, then its chain.
  const cert = `${server.certificate}\n${authority.certificate}`;
  const listener = tls.createServer({ cert, key: server.privateKey }, (socket) => socket.end());
  listener.on('tlsClientError', () => {}); // the client tells why
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const address = listener.address();
  assert(typeof address === 'object' && address);
  const client = tls.connect({
    host: '127.0.0.1',
    port: address.port,
    servername,
    ca: authority.certificate,
  });
  try {
    await once(client, 'secureConnect');
  } finally {
    client.destroy();
    listener.close();
    await once(listener, 'close');
  }
}

test('a client that trusts the authority accepts the certificate, for its name alone', async () => {
  const authority = await createAuthority(name);
  const server = await issueCertificate(authority, name);
  await handshake(server, authority);
  await assert.rejects(handshake(server, authority, 'other.us-east-1.elb.amazonaws.com'), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
});

test('a client that trusts another authority does not', async () => {
  const [authority, other] = [await createAuthority(name), await createAuthority(name)];
  const server = await issueCertificate(authority, name);
  await assert.rejects(handshake(server, other));
});

test('the authority can vouch for no other name', async () => {
  const authority = await createAuthority(name);
  const stolen = await issueCertificate(authority, 'bank.example.com');
  await assert.rejects(handshake(stolen, authority, 'bank.example.com'), {
    message: 'permitted subtree violation',
  });
});

/** What a thief of the authority's key would sign: with names and uses of his own, and a key in PEM. */
async function forge(
  authority: KeyPair,
  names: x509.JsonGeneralNames,
  usage: x509.ExtendedKeyUsage = x509.ExtendedKeyUsage.serverAuth,
): Promise<KeyPair> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const pkcs8 = x509.PemConverter.decodeFirst(authority.privateKey);
  const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: 'CN=forged.example',
    issuer: new x509.X509Certificate(authority.certificate).subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + dayMs),
    extensions: [
      new x509.ExtendedKeyUsageExtension([usage]),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  const privateKey = x509.PemConverter.encode(
    await crypto.subtle.exportKey('pkcs8', keys.privateKey),
    'PRIVATE KEY',
  );
  return { certificate: certificate.toString('pem'), privateKey };
}

test('the authority can vouch for no address, of IP or e-mail', async () => {
  const authority = await createAuthority(name);
  const dns = { type: 'dns', value: name } as const;
  await handshake(await forge(authority, [dns]), authority); // what the others lack is the address
  const addresses = [
    { type: 'ip', value: '127.0.0.1' },
    { type: 'ip', value: '10.1.2.3' },
    { type: 'ip', value: '::1' },
    { type: 'email', value: 'ceo@bank.example.com' },
    { type: 'email', value: `admin@${name}` },
  ] as const;
  for (const address of addresses) {
    const forged = await forge(authority, [dns, address]);
    await assert.rejects(handshake(forged, authority), { message: /subtree violation/ }, address.value);
  }
});

test('the authority can vouch for no client', async () => {
  const authority = await createAuthority(name);
  const server = await issueCertificate(authority, name);
  const client = await forge(authority, [{ type: 'dns', value: name }], x509.ExtendedKeyUsage.clientAuth);
  const listener = tls.createServer({
    cert: server.certificate,
    key: server.privateKey,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: false,
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const address = listener.address();
  assert(typeof address === 'object' && address);
  const connection = tls.connect({
    port: address.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    cert: client.certificate,
    key: client.privateKey,
  });
  try {
    const [socket] = await once(listener, 'secureConnection');
    assert.match(String(socket.authorizationError), /INVALID_PURPOSE|unsupported|INVALID_CA/);
    socket.destroy();
  } finally {
    connection.destroy();
    listener.close();
  }
  await once(listener, 'close');
});

test('renewal: another key and certificate, the same authority, and clients notice nothing', async () => {
  const authority = await createAuthority(name);
  const [first, second] = [await issueCertificate(authority, name), await issueCertificate(authority, name)];
  assert.notEqual(first.certificate, second.certificate);
  assert.notEqual(first.privateKey, second.privateKey);
  await handshake(first, authority);
  await handshake(second, authority);
});

test('a name longer than a common name may be, as load balancers have them', async () => {
  const long = `${'u'.repeat(32)}-1234567890.ap-southeast-1.elb.amazonaws.com`;
  assert(long.length > 64);
  const authority = await createAuthority(long);
  const server = await issueCertificate(authority, long);
  assert.match(new X509Certificate(server.certificate).subject, /^CN=[a-z-]+\.[a-z]+$/);
  await handshake(server, authority, long);
});

test('dates: UTCTime, valid an hour ago, for 397 days; the authority for 20 years, but not beyond 2049', async () => {
  const now = new Date('2026-06-01T12:00:00Z');
  const authority = await createAuthority(name, now);
  const server = await issueCertificate(authority, name, now);
  for (const [{ certificate }, days] of [
    [authority, authorityDays],
    [server, certificateDays],
  ] as const) {
    const { validFromDate, validToDate, raw } = new X509Certificate(certificate);
    assert.equal(validFromDate.getTime(), now.getTime() - 60 * 60 * 1000);
    assert.equal(validToDate.getTime(), now.getTime() + days * dayMs);
    // Tag 0x17, 13 characters: YYMMDDHHMMSSZ. A GeneralizedTime has tag 0x18 and 15.
    assert.equal(raw.toString('hex').match(/170d(3\d){12}5a/g)?.length, 2);
  }
  const late = await createAuthority(name, new Date('2040-01-01T00:00:00Z'));
  assert.equal(new X509Certificate(late.certificate).validToDate.getUTCFullYear(), 2049);
});

test('what is no DNS name is refused', async () => {
  for (const wrong of ['', 'localhost', 'a..b', 'a b.c', '-', `${'a'.repeat(120)}.b`]) {
    await assert.rejects(createAuthority(wrong), { name: 'RangeError', message: /is no DNS name/ });
  }
});
