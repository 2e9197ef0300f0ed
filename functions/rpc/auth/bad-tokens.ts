import { TokenBuckets } from '../call/token-buckets.ts';
import { quotaExceeded } from '../errors.ts';
import type { RpcLimits } from '../limits.ts';

/** How many wrong tokens (JWT) a client may send, and of how many clients they are counted. */
export type BadTokenLimits = Pick<
  RpcLimits,
  'badJwtBurstPerClient' | 'badJwtsPerSecondPerClient' | 'maxClientsWithBadJwts'
>;

/**
 * Bounds the signatures that are verified in vain. Verifying one costs the server more than it costs a client to make
 * one up. Each client has a share, which fills again with time; a token that turns out right takes nothing of it.
 */
export class BadTokens {
  readonly #shares: TokenBuckets;

  /** `now`: the clock, in ms. */
  constructor(limits: BadTokenLimits, now?: () => number) {
    const shares = {
      tokensPerSecond: limits.badJwtsPerSecondPerClient,
      maxTokens: limits.badJwtBurstPerClient,
      maxBuckets: limits.maxClientsWithBadJwts,
    };
    this.#shares = new TokenBuckets(shares, now);
  }

  /**
   * Takes one of the client's share, in case the token is wrong.
   *
   * @returns gives it back: the token was not wrong
   * @throws QUOTA_EXCEEDED, with the time after which there is one more
   */
  take(client: string): () => void {
    const { waitMs, giveBack } = this.#shares.lend(client, 1);
    if (waitMs > 0) throw quotaExceeded(waitMs);
    return giveBack;
  }
}
