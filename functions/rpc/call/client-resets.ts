import type { IncomingHttpHeaders } from 'node:http2';
import type { RpcLimits } from '../limits.ts';
import { clientName } from './client-name.ts';
import { shareName } from './clients.ts';
import type { Connection } from './connection.ts';
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
  readonly #trustedProxies: number;
  readonly #buckets: TokenBuckets;

  /** `now`: the clock, in ms. */
  constructor(limits: ClientResetLimits, trustedProxies: number, now?: () => number) {
    const buckets = {
      tokensPerSecond: limits.streamResetsPerSecond,
      maxTokens: limits.streamResetBurst,
      maxBuckets: limits.maxClientsWithResets,
    };
    this.#trustedProxies = trustedProxies;
    this.#buckets = new TokenBuckets(buckets, now);
  }

  /** As `ResetCharges.charge` of the engines. */
  charge(headers: IncomingHttpHeaders, connection: Pick<Connection, 'client'>): boolean {
    const named = clientName(headers, this.#trustedProxies);
    const client = named === undefined ? connection.client.name : shareName(named);
    return this.#buckets.take(client, 1, 1) === 0;
  }

  /** Whether a client has no reset left, so that its calls must not begin. `client`: `ClientShare.address`. */
  isSpent(client: string): boolean {
    return this.#buckets.count > 0 && !this.#buckets.has(client, 1);
  }
}
