import type { IncomingHttpHeaders } from 'node:http2';
import type { HandlerContext } from '@connectrpc/connect';
import { amazonTraceIdHeader, parseAmazonTraceId } from './amazon-trace-id.ts';
import { type CallTrace, traceOf } from './trace.ts';
import {
  formatTraceparent,
  isBaggage,
  isTracestate,
  parseTraceparent,
  type RemoteTrace,
} from './trace-context.ts';

/**
 * Reads the trace of the caller out of the headers of a request: `traceparent`, else `X-Amzn-Trace-Id`. `undefined` if
 * there is none that is valid.
 */
export function remoteTrace(headers: IncomingHttpHeaders): RemoteTrace | undefined {
  const { traceparent } = headers;
  const remote = typeof traceparent === 'string' ? parseTraceparent(traceparent) : undefined;
  if (remote !== undefined) return remote;
  const amazon = headers[amazonTraceIdHeader];
  return typeof amazon === 'string' ? parseAmazonTraceId(amazon) : undefined;
}

/** The headers that tell of a trace, and of what travels along with it. */
export type TraceHeaders = { [name in 'traceparent' | 'tracestate' | 'baggage']?: string };

/**
 * What a method adds to the headers of requests that it makes, so that they belong to its call: `traceparent`,
 * `tracestate` and `baggage`. Where nobody records, the caller's span goes on, if it is valid. Of a caller who is not
 * followed (`TracingOptions.followsParents`) neither `tracestate` nor `baggage` goes on.
 *
 * `client.getUsers(request, { headers: traceHeaders(context) })`
 */
export function traceHeaders(context: Pick<HandlerContext, 'values' | 'requestHeader'>): TraceHeaders {
  return headersToPassOn(traceOf(context), (name) => context.requestHeader.get(name));
}

/** @see traceHeaders. `read` gives a header of the request. */
export function headersToPassOn(
  trace: CallTrace | undefined,
  read: (name: string) => string | null | undefined,
): TraceHeaders {
  const headers: TraceHeaders = {};
  const given = parseTraceparent(read('traceparent') ?? '');
  if (trace !== undefined) headers.traceparent = trace.traceparent;
  // Written anew, in the version that we know: what another adds to it is not ours to send.
  else if (given !== undefined) headers.traceparent = formatTraceparent(given);
  if (trace?.isOfCaller === false) return headers;
  const state = read('tracestate') ?? '';
  if (given !== undefined && isTracestate(state)) headers.tracestate = state;
  const baggage = read('baggage') ?? '';
  if (isBaggage(baggage)) headers.baggage = baggage;
  return headers;
}
