import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import { formatTraceparent, type SpanContext } from './trace-context.ts';
import { newSpanId } from './trace-ids.ts';

/** What is told of a span besides its times. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A piece of work within a call, such as one of the store. Times are on the clock of `performance.now()`. */
export interface Span {
  readonly name: string;
  readonly spanId: string;
  readonly startedAtMs: number;
  /** `undefined` while it lasts. */
  endedAtMs: number | undefined;
  attributes: SpanAttributes;
  /** What it failed with. */
  error: unknown;
}

/** Of the spans of a call, so many are kept; a stream may read its store without end. */
const maxSpansPerCall = 64;

/**
 * What happened in a call, and when: recorded where somebody watches, for a trace or for the console. Times are on the
 * clock of `performance.now()`.
 */
export class CallTrace implements SpanContext {
  readonly traceId: string;
  readonly spanId = newSpanId();
  /** Settled when the call is let in, or refused: before, nothing is known of who asks for it. */
  isSampled: boolean;
  /** Whether its caller asks that it be sampled. */
  readonly isWanted: boolean;
  /** The span that it is a part of. */
  readonly parent: SpanContext | undefined;
  /** A caller's span that is not followed: it is named, and this trace is one of its own. */
  readonly link: SpanContext | undefined;
  /** Whether it is followed to its caller: only then what the caller sends along with its trace is passed on. */
  readonly isOfCaller: boolean;
  /** When the gate had let it in. */
  enteredAtMs: number | undefined;
  /** When its request was read, and the method was called. */
  invokedAtMs: number | undefined;
  readonly spans: Span[] = [];
  /** Spans that were not kept. */
  droppedSpans = 0;

  constructor(
    place: Pick<CallTrace, 'traceId' | 'isSampled' | 'parent' | 'link'> &
      Partial<Pick<CallTrace, 'isWanted' | 'isOfCaller'>>,
  ) {
    this.traceId = place.traceId;
    this.isSampled = place.isSampled;
    this.isWanted = place.isWanted ?? false;
    this.parent = place.parent;
    this.link = place.link;
    this.isOfCaller = place.isOfCaller ?? true;
  }

  /** For requests that the call makes: they belong to it. */
  get traceparent(): string {
    return formatTraceparent(this);
  }

  /** Begins a span; the caller ends it by its `endedAtMs`. */
  begin(name: string, attributes: SpanAttributes = {}): Span {
    const span: Span = {
      name,
      spanId: newSpanId(),
      startedAtMs: performance.now(),
      endedAtMs: undefined,
      attributes,
      error: undefined,
    };
    if (this.spans.length < maxSpansPerCall) this.spans.push(span);
    else this.droppedSpans += 1;
    return span;
  }
}

/** Where a call keeps its trace. */
export const traceKey = createContextKey<CallTrace | undefined>(undefined, { description: 'trace' });

/** The trace of a call; `undefined` where nobody watches. */
export function traceOf(context: Pick<HandlerContext, 'values'>): CallTrace | undefined {
  return context.values.get(traceKey);
}

/**
 * Does work of a call as a span of its own: its time and its failure are seen in the call's trace. Where nobody watches
 * it only does the work.
 */
export function inSpan<T>(
  context: Pick<HandlerContext, 'values'>,
  name: string,
  attributes: SpanAttributes,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const span = traceOf(context)?.begin(name, attributes);
  if (span === undefined) return work(undefined);
  return work(span).then(
    (it) => {
      span.endedAtMs = performance.now();
      return it;
    },
    (thrown) => {
      span.endedAtMs = performance.now();
      span.error = thrown;
      throw thrown;
    },
  );
}
