import type { IncomingHttpHeaders } from 'node:http2';
import { remoteTrace } from '../telemetry/propagation.ts';
import type { CallRecord } from './call-record.ts';
import { isProtocolHeader } from './metadata.ts';
import { isFault, statusName } from './status.ts';

/** What the log shows of metadata: names alone, or also the values that are known to be harmless. */
export type MetadataDetail = 'keys' | 'values';

/** What the log has of a call. */
export interface CallLine {
  readonly level: 'info' | 'warn' | 'error';
  /** Those without a value are `undefined`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Makes the line of a call that has ended. */
export function callLine(call: CallRecord, status: number, metadata: MetadataDetail): CallLine {
  // Where nothing records, the line has the caller's span.
  const span = call.trace ?? remoteTrace(call.headers);
  const fields = {
    method: call.method,
    protocol: call.protocol,
    code: statusName(status),
    ms: toMicroseconds(call.endedAtMs - call.startedAtMs),
    peer: call.peer,
    forwardedFor: call.forwardedFor,
    caller: call.caller?.id,
    requestId: call.requestId,
    traceId: span?.traceId,
    spanId: span?.spanId,
    deadlineMs: Number.isFinite(call.timeoutMs) ? toMicroseconds(call.timeoutMs) : undefined,
    metadata: metadata === 'values' ? metadataValues(call.headers) : metadataKeys(call.headers),
    error: call.error?.rawMessage,
    fault: isFault(call.error) || undefined,
  };
  // The client is not told the cause.
  const cause = call.error?.cause;
  if (fields.fault) return { level: 'error', fields: { ...fields, err: cause ?? call.error } };
  if (cause !== undefined) return { level: 'warn', fields: { ...fields, err: cause } };
  return { level: 'info', fields };
}

/** A time in ms, to the microsecond: what is finer is an error of floating point. */
function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/**
 * Metadata whose values are harmless to show. Anything else may be a secret, whatever its name: the log shows its name
 * alone.
 */
const harmless =
  /^(?:user-agent|ip|origin|forwarded|via|x-forwarded-(?:for|host|port|proto)|x-real-ip|x-amzn-trace-id|x-user-agent|x-grpc-web|traceparent|tracestate|accept-language|cache-control|priority|sec-(?:ch|fetch|gpc).*|dnt)$/;

/** A log is paid for: a line has so much metadata at most, though a call may have 64 KiB of headers. */
const maxMetadataCharacters = 1024;

function metadataKeys(headers: IncomingHttpHeaders): string {
  let keys = '';
  for (const name in headers) {
    if (!isProtocolHeader(name)) keys = keys === '' ? name : `${keys},${name}`;
    if (keys.length > maxMetadataCharacters) return `${keys.slice(0, maxMetadataCharacters)}…`;
  }
  return keys;
}

/** Metadata as it may be shown: names, and the values that are known to be harmless. */
export function metadataValues(headers: IncomingHttpHeaders): Record<string, string> {
  const values: Record<string, string> = {};
  let rest = maxMetadataCharacters;
  for (const name in headers) {
    if (isProtocolHeader(name)) continue;
    const value = harmless.test(name) ? String(headers[name]) : '[redacted]';
    rest -= name.length + value.length;
    if (rest < 0) return { ...values, '…': 'more' };
    values[name] = value;
  }
  return values;
}
