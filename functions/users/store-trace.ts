import { randomBytes } from 'node:crypto';
import type { Span } from '../rpc/index.ts';
import type { StoreEvents } from './store.ts';

/** The spans of calls of the store, by the signals that the store is given with them. */
const spans = new WeakMap<AbortSignal, Span>();

/** Lets the span of a call of the store show with whom it shares requests, if `tracedEvents` are the store's. */
export function showRequests(span: Span, call: AbortSignal): void {
  spans.set(call, span);
}

/**
 * Tells on what a store does, and adds the requests that read for a call to its span: `store.request.ids`, by which
 * other calls are found that shared them, and `store.request.calls`, how many shared one at most.
 */
export function tracedEvents(events: StoreEvents): StoreEvents {
  return {
    retried: (system) => events.retried(system),
    throttled: (system) => events.throttled(system),
    readFor(system, keys, calls) {
      events.readFor(system, keys, calls);
      let id: string | undefined;
      for (const call of calls) {
        const span = spans.get(call);
        if (span === undefined) continue;
        id ??= randomBytes(8).toString('hex');
        const { 'store.request.ids': ids, 'store.request.calls': most = 0 } = span.attributes;
        span.attributes = {
          ...span.attributes,
          'store.request.ids': ids === undefined ? id : `${ids} ${id}`,
          'store.request.calls': Math.max(Number(most), calls.length),
        };
      }
    },
  };
}
