import type { IncomingHttpHeaders } from 'node:http2';
import type { RpcLimits } from '../limits.ts';
import { ConnectionFault, errorCode } from './frame.ts';
import { PingStrikes } from './ping-strikes.ts';

/** So many at once, and so many more each second. */
class Allowance {
  readonly #burst: number;
  readonly #perMs: number;
  #left: number;
  #atMs = performance.now();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#left = burst;
  }

  /** Takes one. False: there is none left. */
  take(): boolean {
    // The clock is read only once the burst is used up: most connections never do.
    if (this.#left < 1) {
      const nowMs = performance.now();
      this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#atMs) * this.#perMs);
      this.#atMs = nowMs;
    }
    this.#left -= 1;
    return this.#left >= 0;
  }
}

type GuardLimits = Pick<
  RpcLimits,
  | 'streamResetBurst'
  | 'streamResetsPerSecond'
  | 'resetSharesPerConnection'
  | 'glitchBurst'
  | 'glitchesPerSecond'
  | 'minPingIntervalMs'
  | 'maxPingStrikes'
>;

/**
 * Counts what a client may do in good faith, but not without end. It throws the fault that ends the connection of one
 * that does too much of it.
 */
export class FloodGuard {
  readonly #resets: Allowance;
  readonly #charge: ((headers: IncomingHttpHeaders) => void) | undefined;
  readonly #glitches: Allowance;
  readonly #limits: GuardLimits;
  /** Made for the first PING: most clients send none. */
  #strikes: PingStrikes | undefined;

  /** @param charge where many clients share the connection: `ResetCharges.charge` */
  constructor(limits: GuardLimits, charge?: (headers: IncomingHttpHeaders) => void) {
    const shares = charge === undefined ? 1 : limits.resetSharesPerConnection;
    this.#limits = limits;
    this.#charge = charge;
    this.#resets = new Allowance(shares * limits.streamResetBurst, shares * limits.streamResetsPerSecond);
    this.#glitches = new Allowance(limits.glitchBurst, limits.glitchesPerSecond);
  }

  /**
   * A stream was reset: by the client (rapid reset, CVE-2023-44487), or by us for a fault of the client (made you
   * reset, CVE-2025-8671).
   *
   * @param headers of its request; `undefined` if they are not known any more
   */
  reset(headers?: IncomingHttpHeaders): void {
    if (headers !== undefined) this.#charge?.(headers);
    if (!this.#resets.take())
      throw new ConnectionFault(errorCode.enhanceYourCalm, 'too many streams are reset');
  }

  /** The client sends a PING. `activity` changes with every frame that is none. */
  ping(activity: number): void {
    this.glitch();
    this.#strikes ??= new PingStrikes(this.#limits);
    this.#strikes.ping(activity);
  }

  /**
   * A frame that costs work and moves no request on: PING, SETTINGS, PRIORITY, an empty frame, a small
   * WINDOW_UPDATE (CVE-2019-9511 to 9518).
   */
  glitch(): void {
    if (!this.#glitches.take())
      throw new ConnectionFault(errorCode.enhanceYourCalm, 'too many frames for nothing');
  }
}
