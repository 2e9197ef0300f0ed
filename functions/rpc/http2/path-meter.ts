import { defaultWindowBytes } from './settings.ts';

/** Measuring that changes nothing becomes as rare as this. */
const maxPauseBytes = 1024 * 1024;

/**
 * Measures how fast a path is while large requests come, by PINGs, as grpc-go's `bdpEstimator` does
 * (https://grpc.io/blog/grpc-go-perf-improvements/).
 */
export class PathMeter {
  /** Whether a PING is on its way. */
  isMeasuring = false;
  #begunAtMs = 0;
  /** Bytes in a ms, the best so far. */
  #bestRate = 0;
  #pauseBytes = defaultWindowBytes;

  /** Whether to measure now that so much has come since that was last done. */
  isDue(bytes: number): boolean {
    return !this.isMeasuring && bytes >= this.#pauseBytes;
  }

  /** A PING is sent. */
  begin(): void {
    this.isMeasuring = true;
    this.#begunAtMs = performance.now();
  }

  /**
   * The PING was answered.
   *
   * @param bytes what has come meanwhile
   * @returns whether that was quicker than ever: else more would only wait on the path
   */
  finish(bytes: number): boolean {
    this.isMeasuring = false;
    const rate = bytes / Math.max(performance.now() - this.#begunAtMs, 0.001);
    if (rate < this.#bestRate) return false;
    this.#bestRate = rate;
    return true;
  }

  /** After a measurement that was useless, the next one needs more bytes than it did. */
  pause(wasUseless: boolean): void {
    this.#pauseBytes = wasUseless ? Math.min(2 * this.#pauseBytes, maxPauseBytes) : defaultWindowBytes;
  }
}
