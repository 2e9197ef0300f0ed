import type { RpcLimits } from '../limits.ts';
import { ConnectionFault, errorCode } from './frame.ts';

/**
 * PINGs that come too often while nothing else happens, as keepalive does that is set too short. The client is sent
 * away by a word that clients of gRPC know: they ask half as often from then on
 * (https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md).
 */
export class PingStrikes {
  readonly #limits: Pick<RpcLimits, 'minPingIntervalMs' | 'maxPingStrikes'>;
  #strikes = 0;
  #atMs = Number.NEGATIVE_INFINITY;
  #activity = -1;

  constructor(limits: Pick<RpcLimits, 'minPingIntervalMs' | 'maxPingStrikes'>) {
    this.#limits = limits;
  }

  /**
   * The client sends a PING.
   *
   * @param activity changes with every frame that is no PING: then nothing is wrong with asking, as clients do that
   *   measure the path of a large response
   * @throws ConnectionFault if there have been too many
   */
  ping(activity: number): void {
    const { minPingIntervalMs, maxPingStrikes } = this.#limits;
    const nowMs = performance.now();
    if (activity !== this.#activity) this.#strikes = 0;
    else if (nowMs - this.#atMs < minPingIntervalMs && ++this.#strikes > maxPingStrikes) {
      throw new ConnectionFault(errorCode.enhanceYourCalm, 'too_many_pings');
    }
    this.#activity = activity;
    this.#atMs = nowMs;
  }
}
