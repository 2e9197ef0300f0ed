import type { IncomingHttpHeaders } from 'node:http2';

/** Where a span stands in a trace (https://www.w3.org/TR/trace-context/). */
export interface SpanContext {
  /** 32 digits of lower-case hexadecimal, not all zero. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

const traceparent =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** Reads the caller's span out of the headers of a request: `traceparent`. `undefined` if there is none, or it is not valid. */
export function remoteParent(headers: IncomingHttpHeaders): SpanContext | undefined {
  const header = headers.traceparent;
  if (typeof header !== 'string') return undefined;
  const [, traceId, spanId, flags] = traceparent.exec(header) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Writes `traceparent`. */
export function formatTraceparent({ traceId, spanId, isSampled }: SpanContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}
