import type { Options } from './context.ts';

/**
 * Tokens that a caller has on each task or environment in a second; a call costs one for each of its users, a password
 * 50.
 */
export const defaultTokensPerSecond = 100;
/** What a caller may save up: twenty of the largest calls. The day's bill hangs on the tokens per second alone. */
const maxTokensPerCaller = 200_000;

/** The settings of the service that say who may call, and how much. */
export function callers(options: Options): Record<string, string> {
  const { auth, authIssuer, authAudience, clientCa, clientScopes, corsOrigins } = options;
  const { tokensPerSecond = defaultTokensPerSecond } = options;
  return {
    TOKENS_PER_SECOND_PER_CALLER: String(tokensPerSecond),
    MAX_TOKENS_PER_CALLER: String(maxTokensPerCaller),
    // With `iam` AWS has asked before the service hears of a call, and has taken the credential away.
    ...(auth === 'none' || auth === 'iam' ? { AUTH: 'none' } : {}),
    ...(authIssuer && authAudience ? { AUTH_ISSUER: authIssuer, AUTH_AUDIENCE: authAudience } : {}),
    ...(clientCa ? { TLS_CLIENT_HEADERS: 'alb' } : {}),
    ...(clientScopes ? { TLS_CLIENTS: clientScopes } : {}),
    ...(corsOrigins ? { CORS_ORIGINS: corsOrigins.join(',') } : {}),
  };
}
