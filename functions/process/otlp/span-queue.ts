import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';
import {
  type CallObserver,
  type CallRecord,
  type Count,
  isFault,
  type Metrics,
  RateLimit,
} from '../../rpc/index.ts';
import type { SpanBatching } from './settings.ts';
import { type EndedCall, type SpanSource, spansOf } from './spans.ts';

/** Chooses the calls whose traces are kept, and hands their spans to OpenTelemetry's SDK in batches. */
export class SpanQueue implements CallObserver {
  readonly #source: SpanSource;
  readonly #faults: RateLimit;
  readonly #maxSpans: number;
  readonly #processor: BatchSpanProcessor;
  readonly #dropped: Count;
  /** Calls that have ended in this turn of the event loop. */
  #calls: EndedCall[] = [];
  /** Spans that wait or are under way: what waits for a collector that is away has an end. */
  #spans = 0;

  /** `maxFaultTracesPerSecond`: calls that are kept in a second, though not sampled, because they failed by a fault. */
  constructor(
    exporter: SpanExporter,
    source: SpanSource,
    batching: SpanBatching,
    maxFaultTracesPerSecond: number,
    metrics: Metrics,
  ) {
    this.#source = source;
    this.#faults = new RateLimit(maxFaultTracesPerSecond);
    this.#maxSpans = batching.maxQueueSpans;
    this.#processor = new BatchSpanProcessor({
      exporter: this.#counting(exporter),
      scheduledDelayMillis: batching.delayMs,
      exportTimeoutMillis: batching.exportTimeoutMs,
      maxQueueSize: batching.maxQueueSpans,
      maxExportBatchSize: batching.maxBatchSpans,
    });
    const description = 'Spans that were lost before their export: too many waited';
    this.#dropped = metrics
      .counter('otel.sdk.processor.span.processed', { description, unit: '{span}' })
      .of({ 'error.type': 'queue_full' });
  }

  ended(call: CallRecord, status: number): void {
    const { trace } = call;
    if (trace === undefined) return;
    if (!trace.isSampled && !(isFault(call.error) && this.#faults.admits())) return;
    // A call that has no room costs nothing more.
    if (this.#spans + this.#calls.length >= this.#maxSpans) return this.#dropped.add(1 + trace.spans.length);
    // After the response, like the lines of the log.
    if (this.#calls.length === 0) setImmediate(() => this.#flush());
    this.#calls.push({ call, trace, status });
  }

  /** Sends what waits, and ends. Rejects when it can't be sent. */
  async close(): Promise<void> {
    this.#flush();
    await this.#processor.shutdown();
  }

  #flush(): void {
    const calls = this.#calls;
    this.#calls = [];
    this.#source.clock.follow();
    for (const call of calls) {
      const spans = spansOf(call, this.#source);
      if (this.#spans + spans.length > this.#maxSpans) {
        this.#dropped.add(spans.length);
        continue;
      }
      this.#spans += spans.length;
      for (const span of spans) this.#processor.onEnd(span);
    }
  }

  #counting(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans: ReadableSpan[], done) =>
        exporter.export(spans, (result) => {
          this.#spans -= spans.length;
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
    };
  }
}
