import type { Log } from '../call/access-log.ts';
import type { ConnectionCounts, RefusedConnection } from '../telemetry/connection-counts.ts';

/** Lines a second at most: whoever floods a port must not flood the log too. */
const maxLinesPerSecond = 10;

/**
 * Counts connections that came to nothing, and tells the log: of some each second by a line, of the rest by their
 * number.
 */
export class RefusalLog {
  readonly #log: Log | undefined;
  readonly #counts: ConnectionCounts;
  #lines = 0;
  #untold = 0;

  constructor(log: Log | undefined, counts: ConnectionCounts) {
    this.#log = log;
    this.#counts = counts;
  }

  /** Notes a connection that was refused or has failed, and why. */
  note(peer: string | undefined, kind: RefusedConnection, reason: string): void {
    this.#counts.refused[kind] += 1;
    if (this.#log === undefined) return;
    if (this.#lines === 0) setTimeout(() => this.#begin(), 1_000).unref();
    this.#lines += 1;
    if (this.#lines > maxLinesPerSecond) this.#untold += 1;
    else this.#log.warn({ peer, reason }, 'a connection was refused');
  }

  #begin(): void {
    if (this.#untold > 0) this.#log?.warn({ connections: this.#untold }, 'more connections were refused');
    this.#lines = 0;
    this.#untold = 0;
  }
}
