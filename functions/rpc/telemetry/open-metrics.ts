import type { Exemplar, HistogramPoint, Labels, Metric } from './metrics.ts';

/** The content type of `openMetricsText`. */
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
/** The content type of `prometheusText`. */
export const prometheusType = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Metrics as text for scrapers that accept OpenMetrics, with the exemplars of histograms.
 * Source: https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 */
export function openMetricsText(metrics: readonly Metric[]): string {
  return `${metrics.map((it) => textOf(it, true)).join('')}# EOF\n`;
}

/**
 * Metrics as text for every scraper. It knows no exemplars.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function prometheusText(metrics: readonly Metric[]): string {
  return metrics.map((it) => textOf(it, false)).join('');
}

/** The units of OpenTelemetry, as Prometheus writes them. What stands in braces is a remark. */
const units: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes' };

function textOf(metric: Metric, isOpen: boolean): string {
  if (metric.points.length === 0) return '';
  const name = nameOf(metric);
  const unit = unitOf(metric);
  const type = isOpen && isInfo(metric) ? 'info' : metric.kind;
  // OpenMetrics names the family, of which the samples' names are made by suffixes; the older format names the samples.
  const ending = type === 'info' ? /_info$/ : /_total$/;
  const family = isOpen ? name.replace(ending, '') : name;
  const lines = [`# TYPE ${family} ${type}`];
  if (isOpen && unit !== '') lines.push(`# UNIT ${family} ${unit}`);
  lines.push(`# HELP ${family} ${escapeHelp(metric.description, isOpen)}`);
  if (metric.kind === 'histogram') {
    for (const point of metric.points) lines.push(...histogramLines(name, metric.bounds, point, isOpen));
  } else {
    for (const { labels, value } of metric.points) {
      lines.push(`${name}${setOf(pairsOf(labels))} ${numberText(value)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function histogramLines(
  name: string,
  bounds: readonly number[],
  { labels, count, sum, buckets, exemplars }: HistogramPoint,
  isOpen: boolean,
): string[] {
  const pairs = pairsOf(labels);
  let below = 0;
  const lines = buckets.map((much, index) => {
    below += much;
    const le = `le="${boundText(bounds[index] ?? Number.POSITIVE_INFINITY)}"`;
    const exemplar = isOpen ? exemplars[index] : undefined;
    return `${name}_bucket${setOf([...pairs, le])} ${below}${exemplar ? exemplarText(exemplar) : ''}`;
  });
  return [...lines, `${name}_sum${setOf(pairs)} ${numberText(sum)}`, `${name}_count${setOf(pairs)} ${count}`];
}

function exemplarText({ traceId, spanId, value, atMs }: Exemplar): string {
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${numberText(value)} ${(atMs / 1000).toFixed(3)}`;
}

/**
 * `rpc.server.call.duration` in seconds is `rpc_server_call_duration_seconds`.
 * Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#metric-metadata-1
 */
function nameOf(metric: Metric): string {
  const unit = unitOf(metric);
  const stem = identifier(metric.name).replace(/_total$/, '');
  const name = unit === '' || stem.endsWith(`_${unit}`) ? stem : `${stem}_${unit}`;
  return metric.kind === 'counter' ? `${name}_total` : name;
}

function unitOf(metric: Metric): string {
  if (metric.unit === '1' && metric.kind === 'gauge' && !isInfo(metric)) return 'ratio';
  return units[metric.unit] ?? '';
}

/** Whether it says in its labels what something is, and always has the value 1. */
function isInfo({ kind, name }: Metric): boolean {
  return kind === 'gauge' && /[._]info$/.test(name);
}

function identifier(name: string): string {
  const known = name.replace(/[^a-zA-Z0-9]+/g, '_');
  return /^\d/.test(known) ? `_${known}` : known;
}

function pairsOf(labels: Labels): string[] {
  return Object.entries(labels).map(([name, value]) => `${identifier(name)}="${escapeLabel(value)}"`);
}

function setOf(pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function escapeHelp(text: string, isOpen: boolean): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return isOpen ? escaped.replaceAll('"', '\\"') : escaped;
}

function numberText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

/**
 * A bound is part of a series' name, so it has one form: that of Go's %g, always as a float ("Canonical Numbers" of
 * OpenMetrics).
 */
function boundText(bound: number): string {
  if (!Number.isFinite(bound)) return numberText(bound);
  const [digits = '', exponent = '0'] = bound.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 6) {
    const magnitude = String(Math.abs(power)).padStart(2, '0');
    return `${digits}e${power < 0 ? '-' : '+'}${magnitude}`;
  }
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}
