/** What tells the series of a metric apart, by the names of OpenTelemetry: `{ 'rpc.method': 'Users/GetUsers' }`. */
export type Labels = Readonly<Record<string, string>>;

/** What a metric is, for those who read it. */
export interface MetricOptions {
  readonly description: string;
  /** In UCUM, as OpenTelemetry has it: `s`, `By`, `{call}`. */
  readonly unit: string;
}

/** A figure at a moment. */
export interface NumberPoint {
  readonly labels: Labels;
  readonly value: number;
}

/** How often values of each size have come. */
export interface HistogramPoint {
  readonly labels: Labels;
  readonly count: number;
  readonly sum: number;
  /** One more than there are bounds: the last is of values above all of them. */
  readonly buckets: readonly number[];
  /** The latest value of a bucket that a recorded trace belongs to. */
  readonly exemplars: readonly (Exemplar | undefined)[];
}

/** A value, and the call that it is of. */
export interface Exemplar {
  readonly value: number;
  readonly traceId: string;
  readonly spanId: string;
  /** In ms since the epoch. */
  readonly atMs: number;
}

/** A metric with all its series at a moment. */
export type Metric = MetricOptions & { readonly name: string } & (
    | { readonly kind: 'counter' | 'gauge'; readonly points: readonly NumberPoint[] }
    | {
        readonly kind: 'histogram';
        readonly bounds: readonly number[];
        readonly points: readonly HistogramPoint[];
      }
  );

/** Counts up. */
export interface Count {
  add(much: number): void;
}

/** Takes values. */
export interface Distribution {
  /** `trace`: the recorded trace that the value belongs to. */
  record(value: number, trace?: { readonly traceId: string; readonly spanId: string }): void;
}

/** Gives the series of a metric. Keep it: finding it by its labels costs more than counting. */
export interface Series<T> {
  of(labels: Labels): T;
}

/** What a gauge shows: a figure, or one for each of its series. */
export type Reading = () => number | readonly NumberPoint[];

/**
 * A metric has so many series at most; the values of further ones are in one with the label `otel.metric.overflow`, as
 * https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits has it.
 */
const maxSeriesPerMetric = 1000;
const overflow: Labels = { 'otel.metric.overflow': 'true' };

/** The metrics of a process: whoever has something to count makes one, and whoever watches collects all. */
export class Metrics {
  readonly #metrics = new Map<string, () => Metric>();

  /** @throws Error when there is one of this name */
  counter(name: string, options: MetricOptions): Series<Count> {
    const series = new SeriesMap<CountSeries, NumberPoint>((labels) => new CountSeries(labels));
    this.#add(name, () => ({ name, ...options, kind: 'counter', points: series.points() }));
    return series;
  }

  /** `bounds`: the upper ends of its buckets, in its unit, rising. @throws Error when there is one of this name */
  histogram(name: string, options: MetricOptions, bounds: readonly number[]): Series<Distribution> {
    const series = new SeriesMap<DistributionSeries, HistogramPoint>(
      (labels) => new DistributionSeries(labels, bounds),
    );
    this.#add(name, () => ({ name, ...options, kind: 'histogram', bounds, points: series.points() }));
    return series;
  }

  /** A figure that goes up and down, read when somebody collects. @throws Error when there is one of this name */
  gauge(name: string, options: MetricOptions, read: Reading): void {
    this.#add(name, () => ({ name, ...options, kind: 'gauge', points: pointsOf(read) }));
  }

  /** A count that somebody else keeps, read when somebody collects. @throws Error when there is one of this name */
  counted(name: string, options: MetricOptions, read: Reading): void {
    this.#add(name, () => ({ name, ...options, kind: 'counter', points: pointsOf(read) }));
  }

  /** All metrics, in the order in which they were made. */
  collect(): readonly Metric[] {
    return [...this.#metrics.values()].map((read) => read());
  }

  /** One of them; `undefined` if there is none of this name. */
  read(name: string): Metric | undefined {
    return this.#metrics.get(name)?.();
  }

  #add(name: string, read: () => Metric): void {
    if (this.#metrics.has(name)) throw new Error(`there is a metric ${name} already`);
    this.#metrics.set(name, read);
  }
}

function pointsOf(read: Reading): readonly NumberPoint[] {
  const reading = read();
  return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading;
}

class SeriesMap<T extends { readonly point: P }, P> implements Series<T> {
  readonly #series = new Map<string, T>();
  readonly #make: (labels: Labels) => T;

  constructor(make: (labels: Labels) => T) {
    this.#make = make;
  }

  of(labels: Labels): T {
    const key = JSON.stringify(Object.entries(labels).sort());
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= maxSeriesPerMetric && labels !== overflow) return this.of(overflow);
    const made = this.#make(labels);
    this.#series.set(key, made);
    return made;
  }

  points(): P[] {
    return [...this.#series.values()].map((it) => it.point);
  }
}

class CountSeries implements Count {
  readonly #labels: Labels;
  #value = 0;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  add(much: number): void {
    this.#value += much;
  }

  get point(): NumberPoint {
    return { labels: this.#labels, value: this.#value };
  }
}

class DistributionSeries implements Distribution {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  readonly #buckets: number[];
  readonly #exemplars: (Exemplar | undefined)[];
  #sum = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#buckets = new Array(bounds.length + 1).fill(0);
    this.#exemplars = new Array(bounds.length + 1).fill(undefined);
  }

  record(value: number, trace?: { readonly traceId: string; readonly spanId: string }): void {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (bounds[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    this.#buckets[low] = (this.#buckets[low] ?? 0) + 1;
    this.#sum += value;
    if (trace === undefined) return;
    const { traceId, spanId } = trace;
    this.#exemplars[low] = { value, traceId, spanId, atMs: Date.now() };
  }

  get point(): HistogramPoint {
    const buckets = [...this.#buckets];
    const count = buckets.reduce((sum, it) => sum + it, 0);
    return { labels: this.#labels, count, sum: this.#sum, buckets, exemplars: [...this.#exemplars] };
  }
}
