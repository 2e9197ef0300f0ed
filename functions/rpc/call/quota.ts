import { type ConnectError, createContextKey, type HandlerContext } from '@connectrpc/connect';
import { quotaExceeded } from '../errors.ts';
import type { RpcLimits } from '../limits.ts';
import { TokenBuckets } from './token-buckets.ts';

/** Whoever pays for a call. */
export interface Payer {
  /** @throws QUOTA_EXCEEDED */
  spend(tokens: number): void;
}

/** Where a call keeps who pays for it. A call that is made on its behalf within the process has the same. */
export const payerKey = createContextKey<Payer | undefined>(undefined, { description: 'who pays' });

/**
 * Takes tokens for a call that costs more than the one with which every call begins. Call it before the work is done.
 * It may take more than there are, so that no call is too large for a quota; then the next call waits until that is
 * paid off.
 *
 * Without a quota, and for calls that nobody from outside has caused, it does nothing.
 *
 * @throws QUOTA_EXCEEDED if other calls have taken too much in the meantime
 */
export function spend(context: Pick<HandlerContext, 'values'>, tokens: number): void {
  if (tokens > 0) context.values.get(payerKey)?.spend(tokens);
}

/** What a quota is made of. */
export type QuotaLimits = Pick<
  RpcLimits,
  'tokensPerSecondPerCaller' | 'maxTokensPerCaller' | 'maxCallersWithBuckets'
>;

/** How much callers may do in a time: tokens in a bucket of each. */
export class Quota {
  readonly #buckets: TokenBuckets;

  /** `now`: the clock, in ms. */
  constructor(limits: QuotaLimits, now?: () => number) {
    const buckets = {
      tokensPerSecond: limits.tokensPerSecondPerCaller,
      maxTokens: limits.maxTokensPerCaller,
      maxBuckets: limits.maxCallersWithBuckets,
    };
    this.#buckets = new TokenBuckets(buckets, now);
  }

  /** Takes the one token of a call that begins. Returns why it may not. */
  begin(caller: string): ConnectError | undefined {
    const waitMs = this.#buckets.take(caller, 1, 1);
    return waitMs === 0 ? undefined : quotaExceeded(waitMs);
  }

  /**
   * Takes what a call costs besides: its caller is not in debt yet, even where its own token was the last. @throws
   * QUOTA_EXCEEDED
   */
  spend(caller: string, tokens: number): void {
    const waitMs = this.#buckets.take(caller, tokens, 0);
    if (waitMs > 0) throw quotaExceeded(waitMs);
  }
}
