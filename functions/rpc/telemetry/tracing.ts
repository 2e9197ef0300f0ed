import type { IncomingHttpHeaders } from 'node:http2';
import { remoteTrace } from './propagation.ts';
import { RateLimit } from './rate-limit.ts';
import { CallTrace } from './trace.ts';
import type { RemoteTrace } from './trace-context.ts';
import { newTraceId } from './trace-ids.ts';

/** How calls are traced. */
export interface TracingOptions {
  /**
   * Whether the spans of callers are followed, so that a call is a part of its caller's trace; else they are linked.
   */
  readonly followsParents: boolean;
  /** The part of traces that begin here which are sampled, from 0 to 1. */
  readonly ratio: number;
  /** Whether a caller that is followed decides if its trace is sampled. Default: it does. */
  readonly followsDecisions?: boolean;
  /**
   * Traces of callers that are sampled in a second because of what the caller has sent. Anybody can write a header that
   * asks for it, or choose an id that the ratio takes, before anything is known of him; so beyond this `ratio` decides
   * by chance. Default 100.
   */
  readonly maxRemoteSampledPerSecond?: number;
}

const defaultMaxRemoteSampledPerSecond = 100;
/** Of the 56 random bits at the end of a trace id, so many are looked at: what a number holds exactly. */
const drawnBits = 52;

/** Makes the traces of calls. */
export class Tracing {
  readonly #followsParents: boolean;
  readonly #followsDecisions: boolean;
  readonly #threshold: number;
  readonly #remote: RateLimit;

  constructor(options: TracingOptions) {
    this.#followsParents = options.followsParents;
    this.#followsDecisions = options.followsDecisions ?? true;
    this.#threshold = (1 - options.ratio) * 2 ** drawnBits;
    this.#remote = new RateLimit(options.maxRemoteSampledPerSecond ?? defaultMaxRemoteSampledPerSecond);
  }

  /** Begins the trace of a call. `isLocal`: it is part of a call of this process. */
  begin(headers: IncomingHttpHeaders, isLocal: boolean): CallTrace {
    const remote = remoteTrace(headers);
    const isOfCaller = isLocal || this.#followsParents;
    if (remote !== undefined && isOfCaller) {
      const { traceId } = remote;
      const isSampled = isLocal ? (remote.isSampled ?? false) : this.#samples(remote);
      return new CallTrace({
        traceId,
        isSampled,
        parent: spanOf(remote, isSampled),
        link: undefined,
        isOfCaller,
      });
    }
    const traceId = newTraceId();
    const link = remote && spanOf(remote, false);
    return new CallTrace({ traceId, isSampled: this.#draws(traceId), parent: undefined, link, isOfCaller });
  }

  #samples({ traceId, isSampled }: RemoteTrace): boolean {
    // A load balancer leaves it to us. Its id may be one that its client has chosen, so the id decides nothing.
    if (isSampled === undefined) return this.#draws(newTraceId());
    const isWanted = this.#followsDecisions ? isSampled : this.#draws(traceId);
    return isWanted && (this.#remote.admits() || this.#draws(newTraceId()));
  }

  /**
   * Whether the ratio takes a trace: by its last 56 bits, so that servers with the same ratio take the same ones
   * (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/).
   */
  #draws(traceId: string): boolean {
    if (this.#threshold === 0) return true;
    return Number.parseInt(traceId.slice(-14, -1), 16) >= this.#threshold;
  }
}

function spanOf({ traceId, spanId, isSampled }: RemoteTrace, otherwise: boolean) {
  return spanId === undefined ? undefined : { traceId, spanId, isSampled: isSampled ?? otherwise };
}
