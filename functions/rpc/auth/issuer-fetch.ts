import type { RpcLimits } from '../limits.ts';
import { isIssuerUrl } from './issuer-url.ts';
import type { JwtOptions } from './load-jwt.ts';

/**
 * Fetches the keys (JWKS) of an issuer: at `jwksUrl`, else where its own description says (OpenID Connect Discovery 1.0
 * section 4). Follows no redirect.
 *
 * @throws Error when that takes too long, is too large, or is not what it must be
 */
export async function fetchKeys({ issuer, jwksUrl, limits }: JwtOptions): Promise<readonly object[]> {
  const signal = AbortSignal.timeout(limits.issuerTimeoutMs);
  const url = jwksUrl ?? (await discover(issuer, limits, signal));
  const { keys } = await fetchObject(url, limits, signal);
  if (!Array.isArray(keys)) throw new Error(`${url} has no list of keys`);
  if (keys.length > limits.maxIssuerKeys) {
    throw new Error(`${url} has ${keys.length} keys, at most ${limits.maxIssuerKeys} are read`);
  }
  return keys.filter((key) => typeof key === 'object' && key !== null);
}

async function discover(issuer: string, limits: RpcLimits, signal: AbortSignal): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const description = await fetchObject(url, limits, signal);
  // Section 4.3: else one issuer could speak for another.
  if (description.issuer !== issuer) {
    throw new Error(`${url} describes ${brief(description.issuer)}, not ${issuer}`);
  }
  const { jwks_uri: jwksUrl } = description;
  // An issuer elsewhere must not make this server ask what only this machine can be asked.
  const isElsewhere = issuer.startsWith('https:') && !String(jwksUrl).startsWith('https:');
  if (typeof jwksUrl !== 'string' || !isIssuerUrl(jwksUrl) || isElsewhere) {
    throw new Error(`${url} names no jwks_uri with https: ${brief(jwksUrl)}`);
  }
  return jwksUrl;
}

/** What a URL answers with, as the object of its JSON. */
async function fetchObject(
  url: string,
  { maxIssuerResponseBytes }: RpcLimits,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const response = await fetch(url, { redirect: 'error', headers: { accept: 'application/json' }, signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxIssuerResponseBytes) {
      throw new Error(`${url} answered with more than ${maxIssuerResponseBytes} bytes`);
    }
    chunks.push(chunk);
  }
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
  if (typeof value !== 'object' || value === null) throw new Error(`${url} answered with no object`);
  return { ...value };
}

/** A value from elsewhere, as short as the log needs it. */
function brief(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 200);
}
