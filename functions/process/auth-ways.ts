import { apiKeyWay, certificateWay, type RpcLimits, type Way } from '../rpc/index.ts';
import type { AuthConfig, TokenConfig } from './auth-settings.ts';

/** Makes the ways to learn who calls, for `auth` of RpcServer. None: everybody may call. */
export async function authWays(
  { keys, tokens, certificates }: AuthConfig,
  limits: RpcLimits,
): Promise<readonly Way[]> {
  const ways: Way[] = [];
  if (keys.length > 0) ways.push(apiKeyWay(keys));
  if (tokens !== undefined) ways.push(await tokenWay(tokens, limits));
  if (certificates !== undefined) ways.push(certificateWay({ ...certificates, limits }));
  return ways;
}

/** Loaded where it is needed alone: the code that verifies tokens is large. */
async function tokenWay(_tokens: TokenConfig, _limits: RpcLimits): Promise<Way> {
  throw new Error('not built yet'); // MERGE: (await import('../rpc/auth/jwt.ts')).jwtWay({ ..._tokens, limits: _limits })
}
