import assert from 'node:assert/strict';
import type { Labels, Metric, Metrics } from '../../../functions/rpc/index.ts';
import type { HistogramPoint, NumberPoint } from '../../../functions/rpc/telemetry/metrics.ts';

/** A metric as it is now. Fails when there is none of the name. */
export function metricOf(metrics: Metrics, name: string): Metric {
  const metric = metrics.collect().find((it) => it.name === name);
  assert.ok(metric, `there is no metric ${name}`);
  return metric;
}

/** The figure of the series that has these labels, perhaps among others; 0 if there is none. */
export function figureOf(metrics: Metrics, name: string, labels: Labels = {}): number {
  const metric = metricOf(metrics, name);
  assert.ok(metric.kind !== 'histogram');
  return metric.points.filter((point) => has(point, labels)).reduce((sum, { value }) => sum + value, 0);
}

/** The series of a histogram. */
export function histogramOf(metrics: Metrics, name: string): readonly HistogramPoint[] {
  const metric = metricOf(metrics, name);
  assert.ok(metric.kind === 'histogram');
  return metric.points;
}

/** How many values the series with these labels have taken. */
export function countOf(metrics: Metrics, name: string, labels: Labels = {}): number {
  const points = histogramOf(metrics, name).filter((point) => has(point, labels));
  return points.reduce((sum, { count }) => sum + count, 0);
}

function has({ labels }: NumberPoint | HistogramPoint, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
