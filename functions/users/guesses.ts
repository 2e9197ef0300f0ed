import type { Limits } from '../limits.ts';
import { TokenBuckets } from '../rpc/index.ts';
import { type UsersErrorReason, usersError } from './errors.ts';

/** How many wrong passwords may come, and of how many users and callers they are counted. */
export type GuessLimits = Pick<
  Limits,
  | 'maxWrongPasswordsPerUser'
  | 'wrongPasswordRefillMs'
  | 'maxWrongPasswordsPerClient'
  | 'wrongPasswordPerClientRefillMs'
  | 'maxWrongPasswordsPerCaller'
  | 'wrongPasswordPerCallerRefillMs'
  | 'maxCountedGuessers'
>;

/**
 * Slows down who tries passwords. Each user, each caller, and each client that a caller names, has so many wrong ones
 * at once, and then one more each time that a while has passed. A password that turns out right takes nothing.
 */
export class Guesses {
  readonly #perUser: TokenBuckets;
  readonly #perClient: TokenBuckets;
  readonly #perCaller: TokenBuckets;

  /** `now`: the clock, in ms. */
  constructor(limits: GuessLimits, now?: () => number) {
    const buckets = (maxTokens: number, refillMs: number) =>
      new TokenBuckets(
        { maxTokens, tokensPerSecond: 1000 / refillMs, maxBuckets: limits.maxCountedGuessers },
        now,
      );
    this.#perUser = buckets(limits.maxWrongPasswordsPerUser, limits.wrongPasswordRefillMs);
    this.#perClient = buckets(limits.maxWrongPasswordsPerClient, limits.wrongPasswordPerClientRefillMs);
    this.#perCaller = buckets(limits.maxWrongPasswordsPerCaller, limits.wrongPasswordPerCallerRefillMs);
  }

  /**
   * Counts a password before anybody knows whether it is wrong, so that many at the same time are no way around.
   *
   * @param user who is meant, as `guessedUser` names them, whether there is such a user or not
   * @param caller who tries, or its client's share where nobody is known
   * @param client whom the caller names as its client; empty for none
   * @returns takes it out of the count: it was not wrong, or nobody was told
   * @throws CALLER_GUESSES_SPENT, CLIENT_GUESSES_SPENT, USER_GUESSES_SPENT
   */
  take(user: string, caller: string, client: string): () => void {
    const taken: (() => void)[] = [];
    const giveBack = () => {
      for (const one of taken) one();
    };
    const take = (from: TokenBuckets, key: string, reason: UsersErrorReason) => {
      const loan = from.lend(key, 1);
      if (loan.waitMs > 0) {
        giveBack();
        throw usersError(reason, { retryAfterMs: loan.waitMs });
      }
      taken.push(loan.giveBack);
    };
    take(this.#perCaller, caller, 'CALLER_GUESSES_SPENT');
    if (client !== '') take(this.#perClient, JSON.stringify([caller, client]), 'CLIENT_GUESSES_SPENT');
    take(this.#perUser, user, 'USER_GUESSES_SPENT');
    return giveBack;
  }
}
