import type { JWTPayload } from 'jose';
import { badToken, expiredCredentials } from '../errors.ts';
import { type Caller, callerOfKind } from './caller.ts';

/** How far the clocks of issuer and server may be apart, in seconds. */
export const skewSeconds = 60;

/** For whom tokens must be, and by whom. */
export interface Expected {
  readonly issuer: string;
  readonly audience: string;
}

/**
 * Checks what a token claims about itself.
 *
 * @returns when it ends to be valid, skew included, in ms since 1970
 * @throws BAD_CREDENTIALS, EXPIRED_CREDENTIALS
 */
export function checkClaims(claims: JWTPayload, expected: Expected, nowMs: number): number {
  const { iss, exp, nbf } = claims;
  if (iss !== expected.issuer) throw badToken('iss is another issuer');
  if (!isFor(expected.audience, claims)) throw badToken('aud is for another service');
  // JSON.parse makes Infinity of 1e999.
  if (!Number.isFinite(exp)) throw badToken('exp is missing, or no number');
  if (nbf !== undefined && !Number.isFinite(nbf)) throw badToken('nbf is no number');
  const nowSeconds = Math.floor(nowMs / 1000);
  if (Number(exp) <= nowSeconds - skewSeconds) throw expiredCredentials();
  if (nbf !== undefined && nbf > nowSeconds + skewSeconds) throw badToken('nbf has not come');
  if (textOf(claims.sub) === undefined && clientOf(claims) === undefined) throw badToken('it names nobody');
  return (Math.ceil(Number(exp)) + skewSeconds) * 1000;
}

/**
 * Who has a token: who it is about, else the client that it was issued to, which is another caller whatever its name.
 * With at most `maxScopes` scopes.
 */
export function callerOfClaims(claims: JWTPayload, maxScopes: number): Caller {
  const scopes = scopesOf(claims, maxScopes);
  const subject = textOf(claims.sub);
  if (subject !== undefined) return callerOfKind('token', subject, scopes);
  return callerOfKind('client', clientOf(claims) ?? '', scopes);
}

/** Access tokens of AWS Cognito have no `aud`. */
function isFor(audience: string, { aud, client_id }: JWTPayload): boolean {
  if (aud === undefined) return client_id === audience;
  return Array.isArray(aud) ? aud.includes(audience) : aud === audience;
}

function clientOf({ client_id, azp }: JWTPayload): string | undefined {
  return textOf(client_id) ?? textOf(azp);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * Issuers name scopes differently: `scope` (RFC 8693 section 4.2), `scp` (Microsoft, Okta), `permissions` (Auth0),
 * `roles` (Microsoft); as text with spaces, or as a list. All of them count.
 */
function scopesOf(claims: JWTPayload, maxScopes: number): Iterable<string> {
  const scopes = new Set<string>();
  for (const claim of ['scope', 'scp', 'permissions', 'roles']) {
    const value = claims[claim];
    const items: readonly unknown[] = typeof value === 'string' ? value.split(' ') : arrayOf(value);
    for (const item of items) {
      if (typeof item !== 'string' || item === '') continue;
      if (scopes.size >= maxScopes) return scopes;
      scopes.add(item);
    }
  }
  return scopes;
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
