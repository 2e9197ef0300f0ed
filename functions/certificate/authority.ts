import 'reflect-metadata'; // first: @peculiar/x509 finds its algorithms through it
import type { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

const dayMs = 24 * 60 * 60 * 1000;

/** How long an authority is valid: it outlives the deployment, since every client has a copy of it. */
export const authorityDays = 20 * 365;
/** How long a certificate is valid. Apple's and others' clients refuse more than 398 days of private ones too. */
export const certificateDays = 397;

/** The clocks of clients may be behind by this much. */
const clockSkewMs = 60 * 60 * 1000;

/** Load balancers' names have up to 75 characters. */
const maxNameLength = 119;

// ELB takes RSA and the NIST curves; P-256 is the one every client knows.
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * Makes the authority for one DNS name: a self-signed certificate that may sign for that name alone, for no address of
 * IP or e-mail, and for servers only. Clients that trust it trust it with nothing else, and a stolen key is worth no
 * more than the name.
 *
 * @throws RangeError when the name has over 119 characters (load balancers' have up to 75), or no dot
 */
export async function createAuthority(dnsName: string, now = new Date()): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Self-issued authority',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter: notAfter(now, authorityDays),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      // Of an authority's certificate OpenSSL, Go, NSS and Windows take it as what it may sign for.
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      onlyFor(dnsName),
    ],
  });
  return { certificate: certificate.toString('pem'), privateKey: await privateKeyPem(keys.privateKey) };
}

/** Issues a server certificate for the name, signed by the authority, with a key of its own. */
export async function issueCertificate(
  authority: KeyPair,
  dnsName: string,
  now = new Date(),
): Promise<KeyPair> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const signingKey = await crypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decodeFirst(authority.privateKey),
    algorithm,
    false,
    ['sign'],
  );
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${commonName(dnsName)}`,
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter: notAfter(now, certificateDays),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), privateKey: await privateKeyPem(keys.privateKey) };
}

/** RFC 5280, 4.1.2.5: dates until 2049 are UTCTime, which the library does, later ones are not; ELB wants UTCTime. */
function notAfter(now: Date, days: number): Date {
  return new Date(Math.min(now.getTime() + days * dayMs, Date.UTC(2049, 11, 31)));
}

/**
 * A common name has at most 64 characters (RFC 5280, ub-common-name), which a load balancer's name may exceed; ELB
 * wants one with a dot. Clients look at the alternative name.
 */
function commonName(dnsName: string): string {
  return dnsName.length <= 64 ? dnsName : 'load-balancer.internal';
}

/**
 * The name constraints extension (RFC 5280, 4.2.1.10), critical: this DNS name and those under it. A constraint binds
 * its own type of name alone, so all addresses of IP, of both families, are excluded; of e-mail those of the one host
 * are permitted, and excluded again: no form of a constraint means all of them everywhere.
 */
function onlyFor(dnsName: string): x509.Extension {
  if (dnsName.length > maxNameLength || !/^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(dnsName)) {
    throw new RangeError(
      `"${dnsName}" is no DNS name to issue a certificate for: at most ${maxNameLength} characters, with a dot`,
    );
  }
  // GeneralSubtree { base GeneralName }: rfc822Name [1], dNSName [2], iPAddress [7], which is an address and its mask.
  const subtree = (tag: number, content: Uint8Array) => der(0x30, der(tag, content));
  const name = Buffer.from(dnsName, 'ascii');
  const [dns, mail] = [subtree(0x82, name), subtree(0x81, name)];
  const addresses = [8, 32].map((bytes) => subtree(0x87, Buffer.alloc(bytes))); // 0.0.0.0/0 and ::/0
  const constraints = der(0x30, der(0xa0, dns, mail), der(0xa1, mail, ...addresses));
  return new x509.Extension('2.5.29.30', true, constraints);
}

/** One DER value of under 64 KiB. */
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length: size } = content;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
