import type { Logger } from 'pino';
import { apiKeyWay, certificateWay, loadJwtWay, type RpcLimits, type Way } from '../rpc/index.ts';
import type { AuthConfig } from './auth-settings.ts';

/**
 * Makes the ways to learn who calls, for `auth` of RpcServer. None: everybody may call.
 *
 * @param log is told when the keys of the issuer can't be fetched
 */
export async function authWays(
  { keys, tokens, certificates }: AuthConfig,
  limits: RpcLimits,
  log: Pick<Logger, 'warn'>,
): Promise<readonly Way[]> {
  const ways: Way[] = [];
  if (keys.length > 0) ways.push(apiKeyWay(keys));
  if (tokens !== undefined) {
    const onFetchFailed = (err: Error) => log.warn({ err }, 'the keys of the issuer could not be fetched');
    ways.push(await loadJwtWay({ ...tokens, limits, onFetchFailed }));
  }
  if (certificates !== undefined) ways.push(certificateWay({ ...certificates, limits }));
  return ways;
}
