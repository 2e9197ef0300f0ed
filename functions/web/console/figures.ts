import { type EventLoopUtilization, monitorEventLoopDelay } from 'node:perf_hooks';
import {
  type CallObserver,
  type CallRecord,
  isFault,
  type Metrics,
  type ServerFacts,
} from '../../rpc/index.ts';
import type { LiveFigures } from './contract.ts';
import { Latencies } from './latencies.ts';
import { consoleLimits } from './limits.ts';

/** What of a server the figures are of. */
export type FigureSources = Pick<ServerFacts, 'health' | 'usage'> & {
  /** Where its connections are counted. Default: none are shown. */
  readonly metrics?: Metrics | undefined;
  readonly storeKind: string;
};

/** The event loop's delay is measured as the time between the ticks of a timer. */
const tickMs = 10;
const nsPerMs = 1e6;
/** What holds the loop up in this time is the start, which says nothing of how the server does. */
const startMs = 1_000;

/** Counts calls, and watches the event loop, from when it is made until it is closed. */
export class Figures implements CallObserver {
  readonly #delay = monitorEventLoopDelay({ resolution: tickMs });
  readonly #start: NodeJS.Timeout;
  readonly #latencies = new Latencies();
  #ended = 0;
  #faults = 0;
  #failed = 0;
  #inFlight = 0;
  #utilization: EventLoopUtilization = performance.eventLoopUtilization();
  #loop = { atMs: Number.NEGATIVE_INFINITY, delayMs: 0, utilization: 0 };

  constructor() {
    this.#start = setTimeout(() => this.#delay.enable(), startMs).unref();
  }

  begun(): void {
    this.#inFlight += 1;
  }

  ended(call: CallRecord, status: number): void {
    if (!call.isQuiet) this.#inFlight -= 1;
    this.#ended += 1;
    if (isFault(call.error)) this.#faults += 1;
    else if (status !== 0) this.#failed += 1;
    // A watch lasts as long as its client wants: that is no latency.
    if (Number.isFinite(call.timeoutMs)) this.#latencies.record(call.endedAtMs - call.startedAtMs);
  }

  /** How the server is now. */
  read({ health, usage, metrics, storeKind }: FigureSources): LiveFigures {
    this.#lookAtLoop();
    // A service does not serve when its store can't.
    const trouble = health.isShutDown ? undefined : health.problems[0];
    return {
      atMs: Date.now(),
      ended: this.#ended,
      faults: this.#faults,
      failed: this.#failed,
      inFlight: this.#inFlight,
      connections: sumOf(metrics, 'server.connections'),
      ...this.#latencies.percentiles(),
      eventLoopDelayMs: this.#loop.delayMs,
      eventLoopUtilization: this.#loop.utilization,
      heldBytes: usage().heldBytes,
      heapBytes: process.memoryUsage().heapUsed,
      isDraining: health.isShutDown,
      store: { kind: storeKind, trouble },
    };
  }

  /** Watches no longer. */
  close(): void {
    clearTimeout(this.#start);
    this.#delay.disable();
  }

  /** Since it was looked at before. */
  #lookAtLoop(): void {
    const nowMs = performance.now();
    if (nowMs - this.#loop.atMs < consoleLimits.minFiguresIntervalMs) return;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#utilization);
    const delayMs = this.#delay.count === 0 ? 0 : Math.max(0, this.#delay.max / nsPerMs - tickMs);
    this.#loop = { atMs: nowMs, delayMs, utilization };
    this.#utilization = now;
    this.#delay.reset();
  }
}

function sumOf(metrics: Metrics | undefined, name: string): number {
  const metric = metrics?.read(name);
  if (metric === undefined || metric.kind === 'histogram') return 0;
  return metric.points.reduce((sum, { value }) => sum + value, 0);
}
