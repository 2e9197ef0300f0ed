import type { Point } from './alarm.ts';

/** The values of a metric in one minute. */
class Minute {
  sum = 0;
  least = Number.POSITIVE_INFINITY;
  most = Number.NEGATIVE_INFINITY;
  readonly values: number[] = [];

  add(value: number): void {
    this.sum += value;
    this.least = Math.min(this.least, value);
    this.most = Math.max(this.most, value);
    this.values.push(value);
  }
}

/** Names and values that tell series of one metric apart. */
export type Dimensions = Readonly<Record<string, string>>;

/** The metrics of a run, as CloudWatch keeps them: by the minute. */
export class Metrics {
  readonly #minutes = new Map<string, Map<number, Minute>>();

  /** Takes a value. `minute`: the number of its minute, from the beginning of the run. */
  put(namespace: string, name: string, dimensions: Dimensions, minute: number, value: number): void {
    const key = keyOf(namespace, name, dimensions);
    const series = this.#minutes.get(key) ?? new Map<number, Minute>();
    this.#minutes.set(key, series);
    const bucket = series.get(minute) ?? new Minute();
    series.set(minute, bucket);
    bucket.add(value);
  }

  /**
   * A statistic over a period of minutes, such as `Sum`, `Maximum` or `p99`; undefined if there were no values.
   *
   * @param fromMinute the first minute
   * @param toMinute the one after the last
   */
  statistic(
    namespace: string,
    name: string,
    dimensions: Dimensions,
    statistic: string,
    fromMinute: number,
    toMinute: number,
  ): Point {
    const series = this.#minutes.get(keyOf(namespace, name, dimensions));
    const found: Minute[] = [];
    for (let minute = fromMinute; minute < toMinute; minute++) {
      const bucket = series?.get(minute);
      if (bucket) found.push(bucket);
    }
    if (found.length === 0) return undefined;
    const values = found.flatMap((it) => it.values);
    const sum = found.reduce((total, it) => total + it.sum, 0);
    switch (statistic) {
      case 'Sum':
        return sum;
      case 'Average':
        return sum / values.length;
      case 'Minimum':
        return Math.min(...found.map((it) => it.least));
      case 'Maximum':
        return Math.max(...found.map((it) => it.most));
      case 'SampleCount':
        return values.length;
    }
    const [, percentile] = /^p(\d+(?:\.\d+)?)$/.exec(statistic) ?? [];
    if (percentile === undefined) throw new Error(`a rehearsal has no statistic ${statistic}`);
    values.sort((a, b) => a - b);
    return values[Math.min(values.length - 1, Math.floor((values.length * Number(percentile)) / 100))];
  }
}

function keyOf(namespace: string, name: string, dimensions: Dimensions): string {
  const sorted = Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([namespace, name, sorted]);
}
