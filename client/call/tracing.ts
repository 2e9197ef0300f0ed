import type { DescMethod } from '@bufbuild/protobuf';
import type { Protocol } from '../transport/transport.ts';
import { type CallError, codeName } from './call-error.ts';
import { type Metadata, metadataEntries } from './metadata.ts';

/**
 * Makes spans, as a Tracer of the OpenTelemetry API does: `trace.getTracer('my-app')` of `@opentelemetry/api` fits. Its
 * spans are children of what is active there.
 */
export interface Tracer {
  startSpan(name: string, options: { kind: number; attributes: Record<string, string | number> }): TracerSpan;
}

/** A span of such a tracer. */
export interface TracerSpan {
  spanContext(): {
    readonly traceId: string;
    readonly spanId: string;
    readonly traceFlags: number;
    readonly traceState?: { serialize(): string } | undefined;
  };
  setAttribute(name: string, value: string | number): unknown;
  addEvent(name: string, attributes: Record<string, string | number>): unknown;
  setStatus(status: { code: number }): unknown;
  end(): void;
}

/** `SpanKind.CLIENT` and `SpanStatusCode.ERROR` of the OpenTelemetry API, which is no dependency of the client. */
const kindClient = 2;
const statusError = 2;
/** What a tracer without an SDK gives to its spans: there is no trace then, and nothing is sent of it. */
const noTraceId = '0'.repeat(32);

/** Begins the spans of calls to one address. */
export type BeginSpan = (method: DescMethod) => CallSpan;

/** `address` and `port`: of the server. */
export function spansBy(
  tracer: Tracer,
  protocol: Protocol,
  address: { readonly host: string; readonly port: number },
): BeginSpan {
  const system = protocol === 'connect' ? 'connectrpc' : 'grpc';
  return (method) => {
    const name = `${method.parent.typeName}/${method.name}`;
    const attributes = {
      'rpc.system.name': system,
      'rpc.method': name,
      'server.address': address.host,
      'server.port': address.port,
    };
    return new CallSpan(tracer.startSpan(name, { kind: kindClient, attributes }));
  };
}

/** The span of a call with all its attempts. Attributes are those of OpenTelemetry's conventions for RPC. */
export class CallSpan {
  readonly #span: TracerSpan;
  #retries = 0;
  #isOver = false;

  constructor(span: TracerSpan) {
    this.#span = span;
  }

  /** The metadata of the call with its place in the trace, instead of what it says of one itself. */
  metadata(given: Metadata): Metadata {
    const { traceId, spanId, traceFlags, traceState } = this.#span.spanContext();
    if (traceId === noTraceId) return given;
    const others = [...metadataEntries(given)].filter(([key]) => !/^trace(?:parent|state)$/i.test(key));
    const flags = (traceFlags & 1) === 1 ? '01' : '00';
    const state = traceState?.serialize() ?? '';
    const pairs = others.map(([key, value]): [string, string] => [key, value]);
    pairs.push(['traceparent', `00-${traceId}-${spanId}-${flags}`]);
    if (state !== '') pairs.push(['tracestate', state]);
    return pairs;
  }

  /** An attempt has failed, and there will be another. */
  retried(error: CallError): void {
    this.#retries += 1;
    this.#span.addEvent('retry', { 'rpc.status_code': codeName(error.code) });
  }

  /** The call is over; with the error, if it failed. Later calls do nothing. */
  end(error?: CallError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const status = error === undefined ? 'OK' : codeName(error.code);
    this.#span.setAttribute('rpc.status_code', status);
    if (this.#retries > 0) this.#span.setAttribute('rpc.retries', this.#retries);
    if (error !== undefined) {
      this.#span.setAttribute('error.type', status);
      this.#span.setStatus({ code: statusError });
    }
    this.#span.end();
  }
}
