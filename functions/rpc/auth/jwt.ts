import { ConnectError } from '@connectrpc/connect';
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import type { GateRequest } from '../call/gate.ts';
import { badToken, expiredCredentials } from '../errors.ts';
import type { Way } from './auth-gate.ts';
import { BadTokens } from './bad-tokens.ts';
import { bearerOf } from './bearer.ts';
import type { Caller } from './caller.ts';
import { type Algorithm, algorithms, IssuerKeys } from './issuer-keys.ts';
import { isIssuerUrl } from './issuer-url.ts';
import { callerOfClaims, checkClaims, skewSeconds } from './jwt-claims.ts';
import type { JwtOptions } from './load-jwt.ts';
import { TokenMemory } from './token-memory.ts';

/** Three parts in base64url (RFC 7515 section 3.1). Nothing else: blanks between would make many tokens of one. */
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** To look at a larger token, as JSON that anybody may have made, costs as much as to verify one. */
const maxCheapCharacters = 2048;

/** What a token says of itself before anybody has verified it. */
interface Looks {
  readonly algorithm: Algorithm;
  readonly keyId: string | undefined;
}

/**
 * Learns who calls from tokens (JWT, RFC 7519) that an issuer has signed. Load it by `loadJwtWay`.
 *
 * A token is looked at first: one that could never be valid here costs no signature and no fetch of keys. One that has
 * been verified is remembered: then its caller is known at once. Signatures that are wrong, and large tokens that are
 * not valid, count as `BadTokens`.
 *
 * @throws Error when a URL is neither `https` nor of this machine
 */
export function jwtWay(options: JwtOptions): Way {
  const { issuer, jwksUrl, limits, now = Date.now } = options;
  for (const url of [issuer, jwksUrl ?? issuer]) {
    if (!isIssuerUrl(url)) throw new Error(`${url} must be a URL with https, or of this machine`);
  }
  const keys = new IssuerKeys(options);
  const memory = new TokenMemory(limits.maxRememberedJwts);
  const badTokens = new BadTokens(limits, options.now);
  const underWay = new Map<string, Promise<Caller>>();

  function look(token: string, nowMs: number): Looks {
    const { header, claims } = decode(token);
    const { alg, kid, crit } = header;
    const algorithm = algorithms.find((it) => it === alg);
    // Extensions that must be understood are not (RFC 7515 section 4.1.11).
    if (algorithm === undefined) throw badToken('alg is none of those that are taken');
    if (crit !== undefined) throw badToken('crit has extensions');
    if (kid !== undefined && typeof kid !== 'string') throw badToken('kid is no text');
    checkClaims(claims, options, nowMs);
    return { algorithm, keyId: kid };
  }

  async function verify(token: string, name: string, { algorithm, keyId }: Looks): Promise<Caller> {
    const key = await keys.keyOf(algorithm, keyId);
    const { payload } = await jwtVerify(token, key.publicKey, {
      algorithms: [algorithm],
      issuer,
      requiredClaims: ['exp'],
      clockTolerance: skewSeconds,
      currentDate: new Date(now()),
    });
    const expiresAtMs = checkClaims(payload, options, now());
    const caller = callerOfClaims(payload, limits.maxScopesPerJwt);
    memory.add(name, { caller, key, expiresAtMs });
    return caller;
  }

  /** Verifies a token that looks right. What jose refuses then is the signature: that counts as a bad token. */
  async function verifyOnce(
    token: string,
    name: string,
    looks: Looks,
    giveBack: () => void,
  ): Promise<Caller> {
    let isBad = false;
    try {
      return await verify(token, name, looks);
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      if (error instanceof errors.JWTExpired) throw expiredCredentials(); // while its key was fetched
      isBad = true;
      throw badToken('the signature is wrong');
    } finally {
      underWay.delete(name);
      if (!isBad) giveBack();
    }
  }

  return {
    identify({ headers, client }: GateRequest) {
      const token = bearerOf(headers);
      if (token?.includes('.') !== true) return undefined;
      const name = TokenMemory.nameOf(token);
      const nowMs = now();
      const known = memory.find(name, nowMs);
      if (known !== undefined) {
        keys.renew();
        return known;
      }
      if (!compactForm.test(token)) return undefined;
      // One verification serves all calls that come with a token meanwhile.
      const begun = underWay.get(name);
      if (begun !== undefined) return begun;
      const isLarge = token.length > maxCheapCharacters;
      const taken = isLarge ? badTokens.take(client) : undefined;
      const looks = look(token, nowMs);
      const verification = verifyOnce(token, name, looks, taken ?? badTokens.take(client));
      underWay.set(name, verification);
      return verification;
    },
  };
}

/** @throws BAD_CREDENTIALS */
function decode(token: string): { readonly header: Record<string, unknown>; readonly claims: JWTPayload } {
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    throw badToken('it is no JWT');
  }
}
