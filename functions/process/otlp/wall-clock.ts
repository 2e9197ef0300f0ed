import type { HrTime } from '@opentelemetry/api';

/** The system's clock is set now and then; this far it may be from the one that runs evenly. */
const maxDriftMs = 50;

/**
 * Tells the time of day of moments on the clock of `performance.now()`. That one is finer and never goes back, so the
 * spans of a call keep their order and lengths; but it does not follow when the system's clock is set.
 */
export class WallClock {
  #originMs = performance.timeOrigin;

  /** Follows the system's clock, if that was set. */
  follow(): void {
    const originMs = Date.now() - performance.now();
    if (Math.abs(originMs - this.#originMs) > maxDriftMs) this.#originMs = originMs;
  }

  /** Seconds since the epoch, and nanoseconds. */
  at(moment: number): HrTime {
    const ms = this.#originMs + moment;
    const seconds = Math.floor(ms / 1000);
    return [seconds, Math.min(Math.floor((ms - seconds * 1000) * 1e6), 999_999_999)];
  }
}
