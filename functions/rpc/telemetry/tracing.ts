import type { IncomingHttpHeaders } from 'node:http2';
import { remoteTrace } from './propagation.ts';
import { RateLimit, SharedRateLimit } from './rate-limit.ts';
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
   * Traces that are sampled in a second because their callers ask for it, by a header or by an id that the ratio takes;
   * each caller leaves a part to others. Beyond this `ratio` decides by chance. Default 100.
   */
  readonly maxRemoteSampledPerSecond?: number;
}

const defaultMaxRemoteSampledPerSecond = 100;
/**
 * Calls that nothing meters, since they are refused or nobody is known to make them, are sampled up to this number a
 * second, whatever they ask for and whatever the ratio is: those of strangers, and the refused ones of all others.
 */
const maxUnmeteredSampledPerSecond = 10;
/** Of the 56 random bits at the end of a trace id, so many are looked at: what a number holds exactly. */
const drawnBits = 52;

/** Makes the traces of calls. */
export class Tracing {
  readonly #followsParents: boolean;
  readonly #followsDecisions: boolean;
  readonly #threshold: number;
  readonly #remote: SharedRateLimit;
  readonly #strangers = new RateLimit(maxUnmeteredSampledPerSecond);
  readonly #refused = new RateLimit(maxUnmeteredSampledPerSecond);

  constructor(options: TracingOptions) {
    this.#followsParents = options.followsParents;
    this.#followsDecisions = options.followsDecisions ?? true;
    this.#threshold = (1 - options.ratio) * 2 ** drawnBits;
    this.#remote = new SharedRateLimit(options.maxRemoteSampledPerSecond ?? defaultMaxRemoteSampledPerSecond);
  }

  /**
   * Begins the trace of a call; whether it is sampled is settled by `admitted` or `refused`. `isLocal`: it is part of a
   * call of this process, and sampled where that is.
   */
  begin(headers: IncomingHttpHeaders, isLocal: boolean): CallTrace {
    const remote = remoteTrace(headers);
    const isOfCaller = isLocal || this.#followsParents;
    if (remote !== undefined && isOfCaller) {
      const { traceId } = remote;
      const isSampled = isLocal ? (remote.isSampled ?? false) : this.#samples(remote);
      return new CallTrace({
        traceId,
        isSampled,
        isWanted: !isLocal && this.#isWanted(remote),
        parent: spanOf(remote, isSampled),
        link: undefined,
        isOfCaller,
      });
    }
    const traceId = newTraceId();
    const link = remote && spanOf(remote, false);
    return new CallTrace({ traceId, isSampled: this.#draws(traceId), parent: undefined, link, isOfCaller });
  }

  /**
   * The call is let in: its caller has its share of what callers may have sampled.
   *
   * @param client whose share it is: the caller's id, else its address
   * @param isStranger whether callers have to say who they are, and this one has not
   */
  admitted(trace: CallTrace, client: string, isStranger: boolean): void {
    if (isStranger) this.#limit(trace, this.#strangers);
    else if (trace.isWanted) trace.isSampled = this.#remote.admits(client) || this.#draws(newTraceId());
  }

  /** The call is over without having been let in: such calls can be made without end. `isStranger` as above. */
  refused(trace: CallTrace, isStranger: boolean): void {
    this.#limit(trace, isStranger ? this.#strangers : this.#refused);
  }

  #limit(trace: CallTrace, limit: RateLimit): void {
    if (trace.isSampled || trace.isWanted) trace.isSampled = limit.admits();
  }

  /** A load balancer leaves it to us. Its id may be one that its client has chosen, so the id decides nothing. */
  #samples({ isSampled }: RemoteTrace): boolean {
    return isSampled === undefined && this.#draws(newTraceId());
  }

  #isWanted({ traceId, isSampled }: RemoteTrace): boolean {
    if (isSampled === undefined) return false;
    return this.#followsDecisions ? isSampled : this.#draws(traceId);
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
