import type { IncomingHttpHeaders } from 'node:http2';
import { Code } from '@connectrpc/connect';
import type { CallObserver, CallRecord } from './call-record.ts';
import { isProtocolHeader } from './metadata.ts';
import { RefusedLines } from './refused-lines.ts';
import { isFault, statusName } from './status.ts';

/** Where log lines go; pino's loggers fit. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What the log shows of metadata: names alone, or also the values that are known to be harmless. */
export type MetadataDetail = 'keys' | 'values';

const refusals: ReadonlySet<number> = new Set([
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.ResourceExhausted,
]);

/** Whether a status is one of calls that cost their client nothing: no credential, no scope, no quota. */
export function isRefusal(status: number): boolean {
  return refusals.has(status);
}

/** A call whose line is not written yet. */
interface EndedCall {
  readonly call: CallRecord;
  readonly status: number;
  readonly endedAtMs: number;
}

/** What the log of calls shows. */
export interface AccessLogOptions {
  readonly metadata: MetadataDetail;
  /**
   * Calls each second that have a line although they were refused, or nobody is known to make them. Those of known callers
   * are counted apart: a flood of strangers does not hide what a key is used for.
   */
  readonly maxRefusedLinesPerSecond: number;
  /** Whether callers have to say who they are. */
  readonly knowsCallers: boolean;
}

/** Writes one line for each call, and two each second at most for those that are beyond `maxRefusedLinesPerSecond`. */
export function createAccessLog(log: Log, options: AccessLogOptions): CallObserver {
  const { maxRefusedLinesPerSecond, knowsCallers } = options;
  const message = 'more calls were refused';
  const ofStrangers = new RefusedLines(maxRefusedLinesPerSecond, ({ calls, codes }) =>
    log.warn({ callers: 'unknown', calls, codes }, message),
  );
  const ofKnown = new RefusedLines(maxRefusedLinesPerSecond, (untold) =>
    log.warn({ callers: 'known', ...untold }, message),
  );
  const hasLine = ({ caller, error }: CallRecord, status: number) => {
    if (isFault(error)) return true;
    // Nothing meters those of nobody, whatever their status.
    const isMetered = !isRefusal(status) && (caller !== undefined || !knowsCallers);
    return isMetered || (caller === undefined ? ofStrangers : ofKnown).admits(status, caller?.id);
  };
  const write = ({ call, status, endedAtMs }: EndedCall) => {
    const { level, fields } = callLine(call, status, endedAtMs, options.metadata);
    log[level](fields, 'call');
  };
  let ended: EndedCall[] = [];
  const writeAll = () => {
    const calls = ended;
    ended = [];
    calls.forEach(write);
  };
  return {
    ended(call, status) {
      if (call.isQuiet || !hasLine(call, status)) return;
      // After the response: node hands it to the kernel when this turn of the event loop is over.
      if (ended.length === 0) setImmediate(writeAll);
      ended.push({ call, status, endedAtMs: performance.now() });
    },
  };
}

/** What the log has of a call. */
export interface CallLine {
  readonly level: keyof Log;
  /** Those without a value are `undefined`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Makes the line of a call that has ended. `endedAtMs`: on the clock of `performance.now()`. */
export function callLine(
  call: CallRecord,
  status: number,
  endedAtMs: number,
  metadata: MetadataDetail,
): CallLine {
  const fields = {
    method: call.method,
    protocol: call.protocol,
    code: statusName(status),
    ms: toMicroseconds(endedAtMs - call.startedAtMs),
    peer: call.peer,
    caller: call.caller?.id,
    requestId: call.requestId,
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
