// Proves that no token that its issuer has not signed lets anybody in, however it is made: with other algorithms, keys
// that it brings along, random parts, huge numbers, or what a token that is right was changed to. Each is refused as a
// credential, never as a fault of the server, and the issuer is not asked for more than its keys, once.
import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import type { Caller } from '../../../functions/rpc/auth/caller.ts';
import { audience, type Issuer, startIssuer } from '../../support/issuer.ts';
import { wires } from '../../support/transports.ts';
import { echoOf } from '../echo.ts';
import { callerBy, serveBy, wayOf, withToken } from './tokens.ts';

const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64url');
const inHour = Math.floor(Date.now() / 1000) + 3600;

/** A way in that knows the keys of its issuer, and wrong tokens have no end. */
async function setUp(t: TestContext) {
  const issuer = await startIssuer(t);
  for (const algorithm of ['RS256', 'ES256', 'EdDSA']) await issuer.add(algorithm, algorithm);
  const way = wayOf(issuer, { limits: { badJwtBurstPerClient: 1e6 } });
  await callerBy(way, await issuer.sign('RS256'));
  const claims = { iss: issuer.url, aud: audience, sub: 'mallory', exp: inHour, scope: '*' };
  /** What comes of a token: who is let in, or the code of the refusal. */
  const outcome = async (token: string): Promise<Caller | string> => {
    try {
      return (await callerBy(way, token)) ?? 'not for this way';
    } catch (error) {
      return error instanceof ConnectError ? Code[error.code] : String(error);
    }
  };
  return { issuer, way, claims, outcome };
}

/** A token with a header and claims as they are written, signed by whoever. */
function forge(header: string, claims: string, signer: (input: Buffer) => Buffer): string {
  const input = `${base64(header)}.${base64(claims)}`;
  return `${input}.${base64(signer(Buffer.from(input)))}`;
}

/** The public keys of an issuer, in the forms that are taken for a secret. */
async function publicForms(issuer: Issuer): Promise<(string | Buffer)[]> {
  const response = await fetch(`${issuer.url}/jwks`, { headers: { connection: 'close' } });
  const { keys } = (await response.json()) as { keys: { kty: string; n?: string }[] }; // what the issuer shows
  const jwk = keys.find(({ kty, n }) => kty === 'RSA' && n !== '') ?? assert.fail('no key of RSA');
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return [
    key.export({ type: 'spki', format: 'pem' }),
    key.export({ type: 'spki', format: 'der' }),
    key.export({ type: 'pkcs1', format: 'pem' }),
    String(key.export({ type: 'spki', format: 'pem' })).trim(),
    JSON.stringify(jwk),
    jwk.n ?? '',
    '',
  ];
}

describe('a token that its issuer has not signed', () => {
  it('is refused with a public key for a secret, or with no algorithm at all', async (t) => {
    const { issuer, claims, outcome } = await setUp(t);
    for (const secret of await publicForms(issuer)) {
      for (const [alg, digest] of [
        ['HS256', 'sha256'],
        ['HS512', 'sha512'],
        ['RS256', 'sha256'],
      ] as const) {
        const hmac = (input: Buffer) => createHmac(digest, secret).update(input).digest();
        const header = JSON.stringify({ alg, kid: 'RS256' });
        assert.equal(await outcome(forge(header, JSON.stringify(claims), hmac)), 'Unauthenticated');
      }
    }
    for (const alg of [
      'none',
      'None',
      'NONE',
      '',
      null,
      undefined,
      0,
      ['RS256'],
      'rs256',
      'RS256 ',
      '__proto__',
    ]) {
      const header = JSON.stringify({ alg, kid: 'RS256' });
      for (const signature of ['', 'AA', 'none']) {
        const token = forge(header, JSON.stringify(claims), () => Buffer.from(signature));
        assert.match(String(await outcome(token)), /^(Unauthenticated|not for this way)$/);
      }
    }
  });

  it('is refused with a key of its own, however it brings it along', async (t) => {
    const { issuer, claims, outcome } = await setUp(t);
    const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = own.publicKey.export({ format: 'jwk' });
    const signer = (input: Buffer) =>
      sign('sha256', input, { key: own.privateKey, dsaEncoding: 'ieee-p1363' });
    const url = `${issuer.url}/elsewhere`;
    const headers: object[] = [
      { jwk },
      { jwk: { ...jwk, kid: 'ES256' } },
      { jku: url },
      { x5u: url },
      { jku: url, x5u: url, jwk, x5c: [base64(own.publicKey.export({ type: 'spki', format: 'der' }))] },
      { crit: [] },
      { crit: ['exp'], exp: inHour },
      { crit: ['b64'], b64: false },
      { b64: false },
      { zip: 'DEF' },
      { cty: 'JWT' },
    ];
    for (const more of headers) {
      const header = JSON.stringify({ alg: 'ES256', kid: 'ES256', ...more });
      assert.equal(await outcome(forge(header, JSON.stringify(claims), signer)), 'Unauthenticated', header);
    }
    // Of two keys in one object the last counts, for who looks and for who verifies.
    for (const header of [
      '{"alg":"none","alg":"ES256","kid":"ES256"}',
      '{"alg":"ES256","alg":"none","kid":"ES256"}',
      '{"alg":"ES256","kid":"ES256","kid":"RS256"}',
    ]) {
      assert.equal(await outcome(forge(header, JSON.stringify(claims), signer)), 'Unauthenticated', header);
    }
    const { elsewhere } = await issuer.count();
    assert.equal(elsewhere, 0, 'it was asked for what a token names');
  });

  it('is refused with the key of another algorithm', async (t) => {
    const { issuer, outcome } = await setUp(t);
    for (const alg of ['RS256', 'ES256', 'EdDSA']) {
      for (const key of ['RS256', 'ES256', 'EdDSA'].filter((it) => it !== alg)) {
        assert.equal(await outcome(await issuer.sign(key, {}, { alg, kid: alg })), 'Unauthenticated');
        assert.equal(await outcome(await issuer.sign(key, {}, { alg, kid: undefined })), 'Unauthenticated');
      }
    }
  });

  it('is refused whatever its parts are', async (t) => {
    const { issuer, claims, outcome } = await setUp(t);
    const text = JSON.stringify(claims);
    const header = fc.oneof(
      fc.constant('{"alg":"RS256","kid":"RS256"}'),
      fc.json(),
      fc
        .record({ alg: fc.constantFrom('RS256', 'ES256', 'EdDSA'), kid: fc.jsonValue() })
        .map((it) => JSON.stringify(it)),
    );
    const numbers = fc.constantFrom(
      '1e999',
      '-1e999',
      '1e308',
      '9'.repeat(400),
      '0',
      '-0',
      '1e-400',
      'null',
      '"1"',
      '{}',
    );
    const payload = fc.oneof(
      fc.constant(text),
      fc.json(),
      numbers.map((it) => text.replace(String(inHour), it)),
      fc.constant('['.repeat(5_000)),
      fc.constant('{"__proto__":{"iss":"x"},"constructor":{},"toString":1}'),
    );
    const parts = fc.tuple(
      fc.oneof(header.map(base64), fc.string({ unit: 'binary' })),
      fc.oneof(payload.map(base64), fc.string({ unit: 'binary' })),
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }).map((it) => base64(Buffer.from(it))),
        fc.string(),
      ),
    );
    await fc.assert(
      fc.asyncProperty(parts, async (it) => {
        assert.match(String(await outcome(it.join('.'))), /^(Unauthenticated|not for this way)$/);
      }),
      { numRuns: 1_000 },
    );
    // Those that name a key which there is not: looked for once, then in vain.
    const { keys } = await issuer.count();
    assert.ok(keys <= 2, `the keys were fetched ${keys} times`);
  });

  it('is refused if a part of it is changed', async (t) => {
    const { issuer, outcome } = await setUp(t);
    const tokens = await Promise.all(
      ['RS256', 'ES256', 'EdDSA'].map((it) => issuer.sign(it, { scope: 'a' })),
    );
    const change = fc.record({
      token: fc.constantFrom(...tokens),
      place: fc.nat(),
      character: fc.constantFrom(...'AZaz09-_.= \t~é'),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ token, place, character }) => {
        const at = place % token.length;
        const changed = `${token.slice(0, at)}${character}${token.slice(at + 1)}`;
        const isSame = isSameSignature(token, changed);
        const result = await outcome(changed);
        if (isSame) return;
        assert.match(String(result), /^(Unauthenticated|not for this way)$/, changed);
      }),
      { numRuns: 500 },
    );
  });

  it('is refused if it is too large, and a huge number in one that is signed is one that has an end', async (t) => {
    const { issuer, claims, outcome } = await setUp(t);
    const large = await issuer.sign('RS256', { pad: 'x'.repeat(12_500) });
    assert.equal(await outcome(large), 'not for this way');
    assert.equal(await outcome('a.'.repeat(10_000)), 'not for this way');
    assert.equal(await outcome(await issuer.sign('RS256', { ...claims, exp: null })), 'Unauthenticated');
    const fits = await outcome(
      await issuer.sign('RS256', { pad: 'x'.repeat(10_000), exp: Number.MAX_VALUE }),
    );
    assert.ok(typeof fits !== 'string');
  });
});

for (const wire of wires.filter(({ protocol }) => protocol !== 'grpc-web')) {
  it(`who sends many forged tokens over ${wire.protocol}, HTTP/${wire.http}, is soon told to wait`, async (t) => {
    const issuer = await startIssuer(t);
    const key = await issuer.add('one');
    const nowMs = Date.now();
    const way = wayOf(issuer, { limits: { badJwtBurstPerClient: 10 }, now: () => nowMs });
    const serving = await serveBy(t, way);
    const good = withToken(await issuer.sign(key, { scope: 'echo.call' }));
    const forged = good.headers.authorization?.replace(/[^.]+$/, '') ?? '';
    const echo = echoOf(serving, wire);
    await echo.unary({}, good);
    const codes = new Map<string, number>();
    for (let index = 0; index < 200; index += 1) {
      const headers = { authorization: `${forged}${base64(Buffer.alloc(64, index))}` };
      const error = ConnectError.from(
        await echoOf(serving, wire)
          .unary({}, { headers })
          .catch((it) => it),
      );
      codes.set(Code[error.code], (codes.get(Code[error.code]) ?? 0) + 1);
    }
    assert.deepEqual(Object.fromEntries(codes), { Unauthenticated: 10, ResourceExhausted: 190 });
    // Who is known is still let in, and others come from elsewhere.
    assert.equal((await echo.unary({}, good)).text, 'token:alexa');
    const other = withToken(await issuer.sign(key, { scope: 'echo.call', sub: 'tom' }));
    const elsewhere = echoOf(serving, wire, { localAddress: '127.0.0.2' });
    assert.equal((await elsewhere.unary({}, other)).text, 'token:tom');
    assert.ok(serving.lines.every(({ level }) => level !== 'error'));
  });
}

/** Whether two tokens are the same but for bits that base64url does not use. */
function isSameSignature(one: string, other: string): boolean {
  const [a = [], b = []] = [one, other].map((it) => it.split('.'));
  if (a.length !== b.length || !/^[\w-]+$/.test(b[2] ?? '')) return false;
  const decode = (it = '') => Buffer.from(it, 'base64url');
  return a[0] === b[0] && a[1] === b[1] && decode(a[2]).equals(decode(b[2]));
}
