import type { HandlerContext } from '@connectrpc/connect';
import type { Limits } from '../../limits.ts';
import type { Metrics } from '../../rpc/index.ts';
import type { Guesses } from '../guesses.ts';
import type { Mismatches } from '../mismatches.ts';
import type { PasswordHasher } from '../password.ts';
import type { UserStore } from '../store.ts';

/** What the service is made of. */
export interface UsersServiceOptions {
  readonly store: UserStore;
  readonly limits: Limits;
  /** Whose share of the queue for hashes a call takes, such as `shareOf`. Default: all share the whole queue. */
  readonly clientOf?: (context: HandlerContext) => string;
  /** Where it counts what it does besides answering calls. Default: nowhere. */
  readonly metrics?: Metrics;
  /** A number from 1 to 2^32 - 1 for a new user. Default: a random one. */
  readonly newUserId?: () => number;
  /** The time in ms since the epoch, for what expires. Default: `Date.now`. */
  readonly now?: () => number;
}

/** What the methods of the service share. */
export interface MethodParts
  extends Pick<UsersServiceOptions, 'store' | 'limits' | 'clientOf'>,
    Required<Pick<UsersServiceOptions, 'newUserId' | 'now'>> {
  readonly hasher: PasswordHasher;
  readonly mismatches: Mismatches;
  readonly guesses: Guesses;
}

/** Others who change the same user are done by then. */
export const contendedRetryAfterMs = 100;
