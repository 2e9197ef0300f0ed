import type { Limits } from '../limits.ts';
import { TokenBuckets } from '../rpc/index.ts';
import { usersError } from './errors.ts';

/** How many wrong passwords may come, and of how many users and callers they are counted. */
export type GuessLimits = Pick<
  Limits,
  | 'maxWrongPasswordsPerUser'
  | 'wrongPasswordRefillMs'
  | 'maxWrongPasswordsPerCaller'
  | 'wrongPasswordPerCallerRefillMs'
  | 'maxCountedGuessers'
>;

/**
 * Slows down who tries passwords. Each user, and each caller, has so many wrong ones at once, and then one more each
 * time that a while has passed. A password that turns out right takes nothing.
 */
export class Guesses {
  readonly #perUser: TokenBuckets;
  readonly #perCaller: TokenBuckets;

  /** `now`: the clock, in ms. */
  constructor(limits: GuessLimits, now?: () => number) {
    const buckets = (maxTokens: number, refillMs: number) =>
      new TokenBuckets(
        { maxTokens, tokensPerSecond: 1000 / refillMs, maxBuckets: limits.maxCountedGuessers },
        now,
      );
    this.#perUser = buckets(limits.maxWrongPasswordsPerUser, limits.wrongPasswordRefillMs);
    this.#perCaller = buckets(limits.maxWrongPasswordsPerCaller, limits.wrongPasswordPerCallerRefillMs);
  }

  /**
   * Counts a password before anybody knows whether it is wrong, so that many at the same time are no way around.
   *
   * @param user who is meant, as `guessedUser` names them, whether there is such a user or not
   * @param caller who tries, or its client's share where nobody is known
   * @returns takes it out of the count: it was not wrong, or nobody was told
   * @throws CALLER_GUESSES_SPENT, USER_GUESSES_SPENT
   */
  take(user: string, caller: string): () => void {
    const ofCaller = this.#perCaller.lend(caller, 1);
    if (ofCaller.waitMs > 0) throw usersError('CALLER_GUESSES_SPENT', { retryAfterMs: ofCaller.waitMs });
    const ofUser = this.#perUser.lend(user, 1);
    if (ofUser.waitMs > 0) {
      ofCaller.giveBack();
      throw usersError('USER_GUESSES_SPENT', { retryAfterMs: ofUser.waitMs });
    }
    return () => {
      ofUser.giveBack();
      ofCaller.giveBack();
    };
  }
}
