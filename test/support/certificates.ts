import 'reflect-metadata'; // @peculiar/x509 finds its algorithms through it
import * as x509 from '@peculiar/x509';

/** A certificate and its key, PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** An authority of the test run's own, made when it is needed. */
export async function createAuthority(): Promise<{ ca: string; issue: (subjects: Names) => Promise<Pair> }> {
  const authority = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const issuer = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Authority of a test',
    keys: authority,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    ca: issuer.toString('pem'),
    async issue({ commonName = ['Leaf of a test'], dns = [], ip = [], uri = [] }) {
      const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const certificate = await x509.X509CertificateGenerator.create({
        subject: commonName.map((value) => ({ CN: [value] })),
        issuer: issuer.subject,
        publicKey: keys.publicKey,
        signingKey: authority.privateKey,
        signingAlgorithm: algorithm,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            ...dns.map((value) => ({ type: 'dns' as const, value })),
            ...ip.map((value) => ({ type: 'ip' as const, value })),
            ...uri.map((value) => ({ type: 'url' as const, value })),
          ]),
        ].slice(0, dns.length + ip.length + uri.length),
      });
      const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
      return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
    },
  };
}

/** The names in a certificate. */
interface Names {
  /** Several are several parts of the subject. Default: one. */
  readonly commonName?: readonly string[];
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
}
