// Proves that TLS clients accept the issued certificate for its name when they trust the authority, and only then; that
// the authority can vouch for no other name; and that the dates are what ELB and the standards ask for.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import tls from 'node:tls';
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
