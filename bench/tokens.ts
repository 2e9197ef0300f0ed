import { createPrivateKey, generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto';

/** How the tokens of the benchmark are signed. */
export const tokenAlgorithms = ['RS256', 'ES256', 'EdDSA'] as const;
/** @see tokenAlgorithms */
export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

/** Who signs them, and for whom. Nobody else is asked: the server under test serves the key to itself. */
export const [issuer, audience] = ['https://issuer.example', 'https://users.example'];

/** Signs tokens with a key of its own. */
export interface Signer {
  readonly algorithm: TokenAlgorithm;
  /** The private key, for the server that has to make tokens itself. */
  readonly jwk: JsonWebKey;
}

/** Makes a key. */
export function createSigner(algorithm: TokenAlgorithm): Signer {
  const { privateKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : algorithm === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  return { algorithm, jwk: privateKey.export({ format: 'jwk' }) };
}

/** Tokens for a day that differ in their `jti`, as large as those of real issuers. */
export function signTokens({ algorithm, jwk }: Signer, count: number): string[] {
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  return Array.from({ length: count }, (_, index) => {
    const claims = {
      iss: issuer,
      aud: audience,
      sub: 'f3b1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d',
      client_id: '4q8k2m6n0p4r8s2t6v0w4x8y2z',
      scope: 'users.read users.write',
      iat: seconds,
      exp: seconds + 86_400,
      jti: `9f0e3b1c-6f0b-4c55-8f4a-${String(index).padStart(12, '0')}`,
    };
    const input = `${encode({ alg: algorithm, kid: 'bench', typ: 'at+jwt' })}.${encode(claims)}`;
    const digest = algorithm === 'EdDSA' ? null : 'sha256';
    const signature = sign(digest, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  });
}
