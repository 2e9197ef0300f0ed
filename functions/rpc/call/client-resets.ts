import type { IncomingHttpHeaders } from 'node:http2';
import type { RpcLimits } from '../limits.ts';
import { shareName } from './clients.ts';
import type { Connection } from './connection.ts';
import type { CallPolicy } from './policy.ts';
import { TokenBuckets } from './token-buckets.ts';

/** How many streams a client may reset, and of how many clients that is counted. */
export type ClientResetLimits = Pick<
  RpcLimits,
  'streamResetBurst' | 'streamResetsPerSecond' | 'maxClientsWithResets'
>;

/**
 * Counts the resets of clients that reach the server through trusted proxies, which share connections between them. To
 * end a connection would fail the calls of all its clients, and the proxy would open another at once.
 *
 * A client is an address here, also where callers are known: one credential may be that of all clients, and many
 * requests are reset before their callers are known. Requests that name no address belong to the proxy's own.
 */
export class ClientResets {
  readonly #forwardedFor: CallPolicy['forwardedFor'];
  readonly #buckets: TokenBuckets;

  /** `now`: the clock, in ms. */
  constructor(limits: ClientResetLimits, forwardedFor: CallPolicy['forwardedFor'], now?: () => number) {
    const buckets = {
      tokensPerSecond: limits.streamResetsPerSecond,
      maxTokens: limits.streamResetBurst,
      maxBuckets: limits.maxClientsWithResets,
    };
    this.#forwardedFor = forwardedFor;
    this.#buckets = new TokenBuckets(buckets, now);
  }

  /** As `ResetCharges.charge` of the engines. */
  charge(headers: IncomingHttpHeaders, connection: Pick<Connection, 'client'>): void {
    const named = this.#forwardedFor(headers);
    const client = named === undefined ? connection.client.name : shareName(named);
    this.#buckets.take(client, 1, 1);
  }

  /** Whether a client has no reset left, so that its calls must not begin. `client`: `ClientShare.address`. */
  isSpent(client: string): boolean {
    return this.#buckets.count > 0 && !this.#buckets.has(client, 1);
  }
}
