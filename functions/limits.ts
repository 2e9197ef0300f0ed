import type { LimitPairs, LimitRanges } from './process/limit-settings.ts';
import { type ProcessLimits, processLimitRanges, processLimits } from './process/limits.ts';
import { type RpcLimits, rpcLimitPairs, rpcLimitRanges, rpcLimits } from './rpc/index.ts';
import { type UsersLimits, usersLimitPairs, usersLimitRanges, usersLimits } from './users/limits.ts';

/**
 * Every limit and default of the service, each with its unit in its name.
 *
 * An environment variable of the same name in upper case sets each of them (`DRAIN_TIMEOUT_MS` sets `drainTimeoutMs`):
 * `functions/users/config.ts` reads it. `docs/limits.md` lists all, with what happens beyond them.
 */
export const limits: RpcLimits & ProcessLimits & UsersLimits = {
  ...rpcLimits,
  ...processLimits,
  ...usersLimits,
};

/** The type of the limits, for code that gets limits of its own. */
export type Limits = typeof limits;

/** The values that a limit may be set to, if they are not the usual ones of `functions/process/limit-settings.ts`. */
export const limitRanges: LimitRanges<Limits> = {
  ...rpcLimitRanges,
  ...processLimitRanges,
  ...usersLimitRanges,
};

/** Limits of which the first can't be above the second where both are set. */
export const limitPairs: LimitPairs<Limits> = [...rpcLimitPairs, ...usersLimitPairs];
