import type { IncomingHttpHeaders } from 'node:http2';
import { CallTrace } from './trace.ts';
import { remoteParent } from './trace-context.ts';
import { newTraceId } from './trace-ids.ts';

/** How calls are traced. */
export interface TracingOptions {
  /** Whether the spans of callers are followed, so that a call is a part of its caller's trace; else they are linked. */
  readonly followsParents: boolean;
  /** The part of traces that begin here which are sampled, from 0 to 1. */
  readonly ratio: number;
}

/** Makes the traces of calls. */
export class Tracing {
  readonly #options: TracingOptions;
  /** A trace whose last 56 bits are below this is sampled, the same one everywhere (W3C Trace Context level 2). */
  readonly #threshold: number;

  constructor(options: TracingOptions) {
    this.#options = options;
    this.#threshold = options.ratio * 2 ** 52;
  }

  /** Begins the trace of a call. `isLocal`: it is part of a call of this process. */
  begin(headers: IncomingHttpHeaders, isLocal: boolean): CallTrace {
    const remote = remoteParent(headers);
    if (remote !== undefined && (isLocal || this.#options.followsParents)) {
      const { traceId, isSampled } = remote;
      return new CallTrace({ traceId, isSampled, parent: remote, link: undefined });
    }
    const traceId = newTraceId();
    const isSampled = Number.parseInt(traceId.slice(-13), 16) < this.#threshold;
    return new CallTrace({ traceId, isSampled, parent: undefined, link: remote });
  }
}
