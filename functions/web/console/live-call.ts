import { loggedError } from '../../process/shown-error.ts';
import {
  type CallRecord,
  type CallTrace,
  callLine,
  isFault,
  metadataValues,
  statusName,
} from '../../rpc/index.ts';
import type { LiveCall, LiveSpan } from './contract.ts';
import { consoleLimits } from './limits.ts';

/** Shows a call that has ended, all but its number. */
export function liveCallOf(call: CallRecord, status: number): Omit<LiveCall, 'seq'> {
  const { endedAtMs } = call;
  const { level, fields } = callLine(call, status, 'values');
  const startedAtMs = Date.now() - (performance.now() - call.startedAtMs);
  const line = { level, time: new Date().toISOString(), ...fields, msg: 'call' };
  return {
    method: call.method,
    protocol: call.protocol,
    caller: call.caller?.id,
    status: statusName(status),
    isFault: isFault(call.error),
    error: shortened(call.error?.rawMessage),
    startedAtMs: Math.round(startedAtMs),
    ms: toMicroseconds(endedAtMs - call.startedAtMs),
    deadlineMs: Number.isFinite(call.timeoutMs) ? toMicroseconds(call.timeoutMs) : undefined,
    peer: call.peer,
    requestId: call.requestId,
    traceId: call.trace?.traceId ?? '',
    receivedMessages: call.receivedMessages,
    receivedBytes: call.receivedBytes,
    sentMessages: call.sentMessages,
    sentBytes: call.sentBytes,
    metadata: metadataValues(call.headers),
    spans: call.trace === undefined ? [] : spansOf(call.trace, call.startedAtMs, endedAtMs),
    log: ['err' in fields ? { ...line, err: shownError(fields.err) } : line],
  };
}

/** What a call passed, and what its handler has named; what has not ended lasts until the end of the call. */
function spansOf(trace: CallTrace, startedAtMs: number, endedAtMs: number): LiveSpan[] {
  const { enteredAtMs, invokedAtMs } = trace;
  const span = (name: string, fromMs: number, toMs: number, more?: Partial<LiveSpan>): LiveSpan => ({
    name,
    startMs: toMicroseconds(fromMs - startedAtMs),
    ms: toMicroseconds(toMs - fromMs),
    attributes: {},
    ...more,
  });
  const spans = [span('gate', startedAtMs, enteredAtMs ?? endedAtMs)];
  if (enteredAtMs !== undefined) spans.push(span('request', enteredAtMs, invokedAtMs ?? endedAtMs));
  if (invokedAtMs !== undefined) spans.push(span('handler', invokedAtMs, endedAtMs));
  for (const it of trace.spans) {
    const error = it.error === undefined ? undefined : shortened(messageOf(it.error));
    spans.push(
      span(it.name, it.startedAtMs, it.endedAtMs ?? endedAtMs, { attributes: it.attributes, error }),
    );
  }
  return spans.sort((a, b) => a.startMs - b.startMs);
}

/** As the log has it, and no longer than it must be. */
function shownError(error: unknown): unknown {
  const shown = loggedError(error);
  try {
    const text = JSON.stringify(shown) ?? '';
    return text.length <= consoleLimits.maxErrorCharacters ? shown : shortened(text);
  } catch {
    // A handler may throw what is no JSON, such as an object that holds itself.
    return typeof error;
  }
}

/** A handler may throw anything, also what can't be made a text. */
function messageOf(thrown: unknown): string {
  const message: unknown = thrown instanceof Error ? thrown.message : thrown;
  return typeof message === 'string' ? message : typeof message;
}

function shortened(text: string | undefined): string | undefined {
  const { maxErrorCharacters } = consoleLimits;
  if (text === undefined || text.length <= maxErrorCharacters) return text;
  return `${text.slice(0, maxErrorCharacters)}…`.toWellFormed();
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
