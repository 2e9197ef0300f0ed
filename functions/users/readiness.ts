import type { Logger } from 'pino';
import type { Limits } from '../limits.ts';
import { StoreError, type UserStore } from './store.ts';
import { callStore } from './store-call.ts';
import { type StoreObserver, type StoreOperation, writes } from './store-watch.ts';

/** What readiness is made of. */
export interface ReadinessOptions {
  readonly store: Pick<UserStore, 'probe'>;
  readonly limits: Pick<
    Limits,
    'unreadyAfterFailures' | 'unreadyAfterMs' | 'storeProbeIntervalMs' | 'storeTimeoutMs'
  >;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** The clock of failures, in ms. Default: `performance.now`. */
  readonly now?: () => number;
}

/** Is told whether the service is ready. `reason`: why not, in a line. */
export type ReadinessListener = (isReady: boolean, reason?: string) => void;

/** The failures of one kind of calls since the last that went well. */
interface Failures {
  count: number;
  firstAtMs: number;
}

/**
 * Whether users can be signed up and found now. It is told of the store's calls: once several writes (sign-ups,
 * changes, removals), or several reads, have failed one after the other for a while, it is not ready. Then it asks the
 * store itself, by `probe`, until that works again. One failure is none, nor is a store that has too much to do, nor a
 * call that its caller gave up.
 *
 * Writes and reads are counted apart: on a full disk reads go on.
 */
export class Readiness implements StoreObserver {
  readonly wantsDuration = false;
  readonly #options: ReadinessOptions;
  readonly #now: () => number;
  readonly #closed = new AbortController();
  readonly #writes: Failures = { count: 0, firstAtMs: 0 };
  readonly #reads: Failures = { count: 0, firstAtMs: 0 };
  #timer: NodeJS.Timeout | undefined;
  /** Why it is not ready. */
  #reason: string | undefined;
  #listener: ReadinessListener | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Tells the listener, in place of any other, of each change; and at once if it is not ready. */
  follow(listener: ReadinessListener): void {
    this.#listener = listener;
    if (this.#reason !== undefined) listener(false, this.#reason);
  }

  ended(operation: StoreOperation, _durationMs: number, _users: number, error: unknown): void {
    const failures = writes.has(operation) ? this.#writes : this.#reads;
    if (error === undefined) failures.count = 0;
    else if (error instanceof StoreError && !error.isOverload) this.#failed(failures, error);
  }

  /** Ends what it does by itself. */
  close(): void {
    this.#closed.abort();
    clearTimeout(this.#timer);
  }

  #failed(failures: Failures, error: StoreError): void {
    const { limits, log } = this.#options;
    const nowMs = this.#now();
    if (failures.count === 0) failures.firstAtMs = nowMs;
    failures.count += 1;
    const isEarly = failures.count < limits.unreadyAfterFailures;
    if (isEarly || nowMs - failures.firstAtMs < limits.unreadyAfterMs) return;
    if (this.#timer !== undefined || this.#closed.signal.aborted) return;
    log.warn({ err: error, failures: failures.count }, 'not ready: the store fails');
    this.#probeLater();
    this.#reason = error.message;
    this.#listener?.(false, error.message);
  }

  #probeLater(): void {
    this.#timer = setTimeout(() => {
      const call = { context: this.#closed, limits: this.#options.limits, retrySafe: true };
      callStore((within) => this.#options.store.probe(within), call).then(
        () => this.#recovered(),
        () => this.#closed.signal.aborted || this.#probeLater(),
      );
    }, this.#options.limits.storeProbeIntervalMs);
  }

  #recovered(): void {
    if (this.#closed.signal.aborted) return;
    this.#timer = undefined;
    this.#writes.count = 0;
    this.#reads.count = 0;
    this.#options.log.info({}, 'ready: the store works again');
    this.#reason = undefined;
    this.#listener?.(true);
  }
}
