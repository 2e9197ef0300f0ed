import { type HrTime, ValueType } from '@opentelemetry/api';
import type { InstrumentationScope } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { HistogramPoint, Labels, Metric, Metrics } from '../../rpc/index.ts';

/** What a series was at the last collection. */
interface Former {
  readonly sum: number;
  readonly buckets: readonly number[];
}

/** Gives the metrics of the process to OpenTelemetry's SDK, in the form in which that exports them. */
export class RegistryProducer implements MetricProducer {
  readonly #metrics: Metrics;
  readonly #resource: Resource;
  readonly #scope: InstrumentationScope;
  readonly #temporality: AggregationTemporality;
  /** Of deltas only. There are no more of them than there are series. */
  readonly #former = new Map<string, Former>();
  #startTime = now();

  /** `isDelta`: counters and histograms tell what has come since the last collection, not since the start. */
  constructor(metrics: Metrics, resource: Resource, scope: InstrumentationScope, isDelta: boolean) {
    this.#metrics = metrics;
    this.#resource = resource;
    this.#scope = scope;
    this.#temporality = isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
  }

  async collect(): Promise<CollectionResult> {
    const endTime = now();
    // What runs here is told by the resource: receivers make the same metric of that.
    const collected = this.#metrics.collect().filter(({ name }) => name !== 'target_info');
    const metrics = collected.map((metric) => this.#dataOf(metric, endTime));
    if (this.#isDelta) this.#startTime = endTime;
    const scopeMetrics = [{ scope: this.#scope, metrics: metrics.filter((it) => it.dataPoints.length > 0) }];
    return { resourceMetrics: { resource: this.#resource, scopeMetrics }, errors: [] };
  }

  get #isDelta(): boolean {
    return this.#temporality === AggregationTemporality.DELTA;
  }

  #dataOf(metric: Metric, endTime: HrTime): MetricData {
    const { name, description, unit } = metric;
    const descriptor = { name, description, unit, valueType: ValueType.DOUBLE };
    const aggregationTemporality = this.#temporality;
    const point = <T>(labels: Labels, value: T): DataPoint<T> => ({
      startTime: this.#startTime,
      endTime,
      attributes: labels,
      value,
    });
    if (metric.kind === 'histogram') {
      const { bounds } = metric;
      const dataPoints = metric.points.map((it) => point(it.labels, this.#distribution(name, it, bounds)));
      return { descriptor, aggregationTemporality, dataPointType: DataPointType.HISTOGRAM, dataPoints };
    }
    if (metric.kind === 'gauge') {
      const dataPoints = metric.points.map(({ labels, value }) => point(labels, value));
      return { descriptor, aggregationTemporality, dataPointType: DataPointType.GAUGE, dataPoints };
    }
    const dataPoints = metric.points.map(({ labels, value }) =>
      point(labels, value - this.#replace(name, labels, { sum: value, buckets: [] }).sum),
    );
    return {
      descriptor,
      aggregationTemporality,
      dataPointType: DataPointType.SUM,
      isMonotonic: true,
      dataPoints,
    };
  }

  #distribution(name: string, point: HistogramPoint, boundaries: readonly number[]): Histogram {
    const { sum, buckets } = point;
    const former = this.#replace(name, point.labels, { sum, buckets });
    const counts = buckets.map((it, place) => it - (former.buckets[place] ?? 0));
    return {
      buckets: { boundaries: [...boundaries], counts },
      count: counts.reduce((all, it) => all + it, 0),
      sum: sum - former.sum,
    };
  }

  /** What is subtracted from a series: nothing, unless deltas are wanted. */
  #replace(name: string, labels: Labels, current: Former): Former {
    const none = { sum: 0, buckets: [] };
    if (!this.#isDelta) return none;
    const key = `${name} ${JSON.stringify(labels)}`;
    const former = this.#former.get(key) ?? none;
    this.#former.set(key, current);
    return former;
  }
}

function now(): HrTime {
  const ms = Date.now();
  return [Math.floor(ms / 1000), (ms % 1000) * 1e6];
}
