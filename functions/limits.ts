import type { LimitRanges } from './process/limit-settings.ts';
import { type RpcLimits, rpcLimitRanges, rpcLimits } from './rpc/index.ts';
import { type UsersLimits, usersLimitRanges, usersLimits } from './users/limits.ts';

/**
 * Every limit and default of the service, each with its unit in its name.
 *
 * Each can be set by an environment variable of the same name in upper case
 * (`drainTimeoutMs` is `DRAIN_TIMEOUT_MS`); `functions/users/config.ts` reads
 * them, and `docs/limits.md` lists them with what happens when one is exceeded.
 */
export const limits: RpcLimits & UsersLimits = { ...rpcLimits, ...usersLimits };

/** The limits and defaults, as a type for those who are given their own. */
export type Limits = typeof limits;

/** The values that they may be set to, where those are not the usual ones of `functions/process/limit-settings.ts`. */
export const limitRanges: LimitRanges<Limits> = { ...rpcLimitRanges, ...usersLimitRanges };
