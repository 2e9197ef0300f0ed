import type { Attributes, HrTime, Link, SpanContext, SpanStatus } from '@opentelemetry/api';
import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { InstrumentationScope } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace';
import {
  type CallRecord,
  type CallTrace,
  isFault,
  isServerError,
  knownHttpMethod,
  type Span,
  statusName,
} from '../../rpc/index.ts';
import type { WallClock } from './wall-clock.ts';

/** A call whose status is decided. */
export interface EndedCall {
  readonly call: CallRecord;
  readonly trace: CallTrace;
  readonly status: number;
}

/** Whose spans they are, and what tells their times. */
export interface SpanSource {
  readonly resource: Resource;
  readonly scope: InstrumentationScope;
  readonly clock: WallClock;
}

/**
 * Names and texts are cut to this length. A queue counts its spans alone, so each must have an end: the span of a call
 * has some 15 attributes.
 */
const maxTextCharacters = 256;

const unset: SpanStatus = { code: SpanStatusCode.UNSET };
const failed: SpanStatus = { code: SpanStatusCode.ERROR };
const noLinks: Link[] = [];
const noEvents: TimedEvent[] = [];

/** A span that is over, in the form in which OpenTelemetry's SDK exports it. */
class EndedSpan implements ReadableSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly parentSpanContext: SpanContext | undefined;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  status = unset;
  readonly attributes: Attributes;
  links = noLinks;
  events = noEvents;
  readonly ended = true;
  readonly resource: Resource;
  readonly instrumentationScope: InstrumentationScope;
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;
  readonly #context: SpanContext;

  constructor(
    source: SpanSource,
    name: string,
    kind: SpanKind,
    context: SpanContext,
    parent: SpanContext | undefined,
    times: readonly [startedAtMs: number, endedAtMs: number],
    attributes: Attributes,
  ) {
    this.name = name.length > maxTextCharacters ? ownText(name) : name;
    this.kind = kind;
    this.#context = context;
    this.parentSpanContext = parent;
    this.startTime = source.clock.at(times[0]);
    this.endTime = source.clock.at(times[1]);
    for (const key in attributes) {
      const value = attributes[key];
      if (typeof value === 'string' && value.length > maxTextCharacters) attributes[key] = ownText(value);
    }
    this.attributes = attributes;
    this.resource = source.resource;
    this.instrumentationScope = source.scope;
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  get duration(): HrTime {
    const [seconds, nanos] = this.endTime;
    const [from, fromNanos] = this.startTime;
    return nanos >= fromNanos
      ? [seconds - from, nanos - fromNanos]
      : [seconds - from - 1, nanos - fromNanos + 1e9];
  }
}

/** The spans of a call that is recorded: its own first, then those of the work in it. */
export function spansOf(ended: EndedCall, source: SpanSource): ReadableSpan[] {
  const { call, trace } = ended;
  const root = spanOfCall(ended, source);
  const context = root.spanContext();
  const spans: ReadableSpan[] = [root];
  for (const span of trace.spans) spans.push(spanOfWork(span, call.endedAtMs, context, source));
  return spans;
}

function spanOfCall({ call, trace, status }: EndedCall, source: SpanSource): EndedSpan {
  const { traceId, spanId, parent, link } = trace;
  // Also where the ratio did not take it: it was kept because of a fault.
  const context = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
  const statusText = statusName(status);
  const attributes: Attributes = {
    'rpc.status_code': statusText,
    'rpc.request.metadata.x-request-id': [call.requestId],
  };
  const name = describeMethod(call, attributes);
  addAddresses(call, attributes);
  if (call.caller !== undefined) attributes['enduser.id'] = call.caller.id;
  if (status !== 0) attributes['error.type'] = statusText;
  if (trace.droppedSpans > 0) attributes['rpc.server.dropped_spans'] = trace.droppedSpans;
  const kind = call.protocol === 'local' ? SpanKind.INTERNAL : SpanKind.SERVER;
  const span = new EndedSpan(
    source,
    name,
    kind,
    context,
    parent && remoteContext(parent),
    [call.startedAtMs, call.endedAtMs],
    attributes,
  );
  if (isServerError(status)) span.status = failed;
  if (link !== undefined) span.links = [{ context: remoteContext(link) }];
  span.events = eventsOf(call, trace, source.clock);
  return span;
}

/** Adds what the call is of; returns the name of its span. */
function describeMethod(call: CallRecord, attributes: Attributes): string {
  const { protocol, http } = call;
  const method = ownText(call.method);
  if (protocol === 'http') {
    const verb = knownHttpMethod(http?.method);
    attributes['http.route'] = method;
    attributes['http.request.method'] = verb;
    // There is none where the client was gone before.
    if (http?.status !== undefined) attributes['http.response.status_code'] = http.status;
    return `${verb === '_OTHER' ? 'HTTP' : verb} ${method}`;
  }
  const system = protocol === 'connect' ? 'connectrpc' : protocol === 'local' ? 'local' : 'grpc';
  // What leads nowhere has no path of its own in the log either: it may be anything.
  const isKnown = method.startsWith('/');
  attributes['rpc.system.name'] = system;
  attributes['rpc.method'] = isKnown ? method.slice(1) : '_OTHER';
  return isKnown ? method.slice(1) : system;
}

/** A text of its own: one that was cut out of another, such as a path out of a URL, keeps all of that in memory. */
function ownText(text: string): string {
  return Buffer.from(text.slice(0, maxTextCharacters)).toString();
}

const hostAndPort = /^(\[[\da-f:.]{2,45}\]|[\w.-]{1,253})(?::(\d{1,5}))?$/i;

function addAddresses({ peer, headers }: CallRecord, attributes: Attributes): void {
  const [, peerHost, peerPort] = hostAndPort.exec(peer) ?? [];
  if (peerHost !== undefined && peerPort !== undefined) {
    attributes['network.peer.address'] = peerHost.replace(/^\[|\]$/g, '');
    attributes['network.peer.port'] = Number(peerPort);
  }
  const authority = headers[':authority'] ?? headers.host;
  if (typeof authority !== 'string') return;
  const [, host, port] = hostAndPort.exec(authority) ?? [];
  if (host === undefined) return;
  attributes['server.address'] = host;
  if (port !== undefined) attributes['server.port'] = Number(port);
}

/** When it was let in, when its request was read; and what kind of error it met, if that is a fault. */
function eventsOf(call: CallRecord, trace: CallTrace, clock: WallClock): TimedEvent[] {
  const events: TimedEvent[] = [];
  if (trace.enteredAtMs !== undefined) events.push({ name: 'admitted', time: clock.at(trace.enteredAtMs) });
  if (trace.invokedAtMs !== undefined)
    events.push({ name: 'request read', time: clock.at(trace.invokedAtMs) });
  if (!isFault(call.error)) return events;
  // What an error says may quote a request. The line of the log with this trace's id has it.
  const attributes = { 'exception.type': typeOf(call.error?.cause ?? call.error) };
  events.push({ name: 'exception', time: clock.at(call.endedAtMs), attributes });
  return events;
}

function spanOfWork(work: Span, callEndedAtMs: number, parent: SpanContext, source: SpanSource): EndedSpan {
  const { name, spanId, startedAtMs, error } = work;
  const attributes: Attributes = { ...work.attributes };
  if (error !== undefined) attributes['error.type'] ??= typeOf(error);
  const kind = 'db.system.name' in attributes ? SpanKind.CLIENT : SpanKind.INTERNAL;
  const context = { traceId: parent.traceId, spanId, traceFlags: TraceFlags.SAMPLED };
  // What goes on after its call is shown until then.
  const endedAtMs = work.endedAtMs ?? Math.max(callEndedAtMs, startedAtMs);
  const span = new EndedSpan(source, name, kind, context, parent, [startedAtMs, endedAtMs], attributes);
  if (error !== undefined) span.status = failed;
  return span;
}

function typeOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function remoteContext({ traceId, spanId, isSampled }: NonNullable<CallTrace['parent']>): SpanContext {
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return { traceId, spanId, traceFlags, isRemote: true };
}
