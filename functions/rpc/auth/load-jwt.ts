import type { RpcLimits } from '../limits.ts';
import type { Way } from './auth-gate.ts';

/** Whose tokens (JWT) let a caller in. */
export interface JwtOptions {
  /** The issuer, as its tokens name it in `iss`: a URL with `https`, or `http` of this machine. */
  readonly issuer: string;
  /** The service, as its tokens name it in `aud`, or in `client_id` where that is absent. */
  readonly audience: string;
  /** Where the issuer's keys (JWKS) are. Default: where OpenID Connect Discovery 1.0 says. */
  readonly jwksUrl?: string | undefined;
  readonly limits: RpcLimits;
  /** Called with each fetch of the keys that fails, for the log. */
  readonly onFetchFailed?: (error: Error) => void;
  /** The clock, in ms since 1970. Default: the machine's. */
  readonly now?: () => number;
}

/**
 * Makes the way in for callers with tokens. What verifies them is loaded by this alone: who needs no tokens does not
 * load it.
 *
 * @throws Error when a URL is neither `https` nor of this machine
 */
export async function loadJwtWay(options: JwtOptions): Promise<Way> {
  const { jwtWay } = await import('./jwt.ts');
  return jwtWay(options);
}
