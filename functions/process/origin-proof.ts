import { createHash, timingSafeEqual } from 'node:crypto';
import { type Gate, rpcError } from '../rpc/index.ts';
import type { Settings } from './settings.ts';

/** The header by which a proxy in front proves that a request has come through it: the name that `infra/` gives it. */
export const originProofHeader = 'x-origin-proof';

/** A proof that is shorter could be guessed; `EdgeProof` of `infra/` makes one of 43. */
const minProofCharacters = 20;

/**
 * Reads ORIGIN_PROOF: what the proxy in front shows in `x-origin-proof`. For homes that the internet reaches beside
 * that proxy, such as a Web Function beside CloudFront: whoever goes past it could claim any address in
 * `x-forwarded-for`. No problem shows what was set.
 *
 * @returns undefined where it is not set: then nobody has to prove anything
 */
export function readOriginProof(settings: Settings, trustedProxies: number): string | undefined {
  const proof = settings.text('ORIGIN_PROOF');
  // What it names is in ORIGIN_PROOF by now (`home.ts`).
  settings.text('ORIGIN_PROOF_SECRET');
  if (proof === undefined) return undefined;
  if (!new RegExp(`^[\\x21-\\x7e]{${minProofCharacters},}$`).test(proof)) {
    settings.problem(
      `ORIGIN_PROOF must have at least ${minProofCharacters} characters, of ASCII, without spaces`,
    );
  }
  if (trustedProxies === 0) {
    settings.problem('ORIGIN_PROOF needs TRUSTED_PROXIES of 1 or more: it is shown by who stands in front');
  }
  return proof;
}

/** The gate that refuses, with BESIDE_PROXY, what does not show the proof. Calls from within the process are let in. */
export function originGate(proof: string): Gate {
  const expected = digest(proof);
  return ({ protocol, headers }) => {
    if (protocol === 'local') return undefined;
    const shown = headers[originProofHeader];
    // Digests have one length, so that a comparison tells nothing by its time.
    if (typeof shown === 'string' && timingSafeEqual(digest(shown), expected)) return undefined;
    throw rpcError('BESIDE_PROXY');
  };
}

const digest = (text: string) => createHash('sha256').update(text).digest();
