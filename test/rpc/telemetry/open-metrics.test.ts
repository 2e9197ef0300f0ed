// Metrics become text that scrapers read: names and units as OpenTelemetry translates them, cumulative buckets with
// canonical bounds, exemplars for OpenMetrics alone, and labels that come back as they were, whatever is in them.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Metric, Metrics, openMetricsText, prometheusText } from '../../../functions/rpc/index.ts';

const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

test('counters, gauges, histograms and what something is, as OpenMetrics', () => {
  assert.equal(
    openMetricsText(samples()),
    `# TYPE process_cpu_time_seconds counter
# UNIT process_cpu_time_seconds seconds
# HELP process_cpu_time_seconds Time of \\"CPU\\" \\\\ used
process_cpu_time_seconds_total 1.5
# TYPE rpc_server_refusals counter
# HELP rpc_server_refusals Calls refused
rpc_server_refusals_total{reason="DRAINING"} 2
rpc_server_refusals_total{reason="CANCELED"} 1
# TYPE nodejs_eventloop_utilization_ratio gauge
# UNIT nodejs_eventloop_utilization_ratio ratio
# HELP nodejs_eventloop_utilization_ratio Busy
nodejs_eventloop_utilization_ratio 0.25
# TYPE target info
# HELP target The build
target_info{service_version="1.0.0"} 1
# TYPE rpc_server_call_duration_seconds histogram
# UNIT rpc_server_call_duration_seconds seconds
# HELP rpc_server_call_duration_seconds Calls
rpc_server_call_duration_seconds_bucket{rpc_method="Users/GetUsers",le="1e-05"} 1
rpc_server_call_duration_seconds_bucket{rpc_method="Users/GetUsers",le="0.0025"} 2 # {trace_id="${trace.traceId}",span_id="${trace.spanId}"} 0.002 1764273600.125
rpc_server_call_duration_seconds_bucket{rpc_method="Users/GetUsers",le="1.0"} 2
rpc_server_call_duration_seconds_bucket{rpc_method="Users/GetUsers",le="1.048576e+06"} 2
rpc_server_call_duration_seconds_bucket{rpc_method="Users/GetUsers",le="+Inf"} 3
rpc_server_call_duration_seconds_sum{rpc_method="Users/GetUsers"} 2000000.002
rpc_server_call_duration_seconds_count{rpc_method="Users/GetUsers"} 3
# EOF
`,
  );
});

test('the older format knows neither units nor exemplars, and names the samples', () => {
  const text = prometheusText(samples());
  assert.match(text, /^# TYPE process_cpu_time_seconds_total counter$/m);
  assert.match(text, /^# HELP process_cpu_time_seconds_total Time of "CPU" \\\\ used$/m);
  assert.match(text, /^# TYPE target_info gauge$/m);
  assert.doesNotMatch(text, /# UNIT|# EOF|trace_id/);
  assert.match(text, /le="\+Inf"} 3$/m);
});

test('what is no finite number has its own word', () => {
  const metrics = new Metrics();
  const point = (value: number) => ({ labels: { of: String(value) }, value });
  const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
  metrics.gauge('odd', { description: '', unit: '' }, () => values.map(point));
  const lines = prometheusText(metrics.collect()).split('\n');
  assert.deepEqual(lines.slice(2, 5), [
    'odd{of="Infinity"} +Inf',
    'odd{of="-Infinity"} -Inf',
    'odd{of="NaN"} NaN',
  ]);
});

test('whatever a label holds, it comes back and begins no line', () => {
  const signs = fc.constantFrom('"', '\\', '\n', '\r', '{', '}', ',', '=', '#', ' ', 'n', 'é', '\0', '😀');
  const hostile = fc.string({ unit: signs });
  fc.assert(
    fc.property(fc.oneof(hostile, fc.string({ unit: 'binary' })), (value) => {
      const metrics = new Metrics();
      const labels = { 'rpc.method': value, reason: `${value}"} 1` };
      metrics.counter('calls', { description: value, unit: '{call}' }).of(labels).add(1);
      metrics.histogram('sizes', { description: value, unit: 'By' }, [1, 2]).of(labels).record(1, trace);
      for (const text of [openMetricsText(metrics.collect()), prometheusText(metrics.collect())]) {
        const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('# '));
        assert.equal(samples.length, 1 + 3 + 2, 'a line for each sample');
        for (const sample of samples) {
          const { rpc_method, reason } = labelsOf(sample);
          assert.deepEqual({ 'rpc.method': rpc_method, reason }, labels);
        }
      }
    }),
  );
});

/** Reads a sample as the grammar of the formats has it; independent of how it was written. */
function labelsOf(sample: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const pair =
    /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\} [0-9.+e-]+(?: # \{[^}]*\} \S+ \S+)?$)/y;
  pair.lastIndex = sample.indexOf('{') + 1;
  for (;;) {
    const match = pair.exec(sample);
    assert.ok(match, `not a sample: ${sample}`);
    const [, name = '', escaped = '', end] = match;
    labels[name] = escaped.replace(/\\(.)/g, (_, it) => (it === 'n' ? '\n' : it));
    if (end !== ',') return labels;
  }
}

function samples(): readonly Metric[] {
  const metrics = new Metrics();
  metrics.counted('process.cpu.time', { description: 'Time of "CPU" \\ used', unit: 's' }, () => 1.5);
  const refusals = metrics.counter('rpc.server.refusals', { description: 'Calls refused', unit: '{call}' });
  refusals.of({ reason: 'DRAINING' }).add(2);
  refusals.of({ reason: 'CANCELED' }).add(1);
  metrics.counter('never', { description: 'No series yet', unit: '{call}' });
  metrics.gauge('nodejs.eventloop.utilization', { description: 'Busy', unit: '1' }, () => 0.25);
  metrics.gauge('target_info', { description: 'The build', unit: '1' }, () => [
    { labels: { 'service.version': '1.0.0' }, value: 1 },
  ]);
  const bounds = [0.00001, 0.0025, 1, 1024 * 1024];
  const options = { description: 'Calls', unit: 's' };
  const duration = metrics.histogram('rpc.server.call.duration', options, bounds);
  const series = duration.of({ 'rpc.method': 'Users/GetUsers' });
  series.record(0);
  series.record(0.002);
  series.record(2_000_000);
  return metrics.collect().map((metric) => (metric.kind === 'histogram' ? withExemplar(metric) : metric));
}

function withExemplar(metric: Extract<Metric, { kind: 'histogram' }>): Metric {
  const exemplar = { ...trace, value: 0.002, atMs: 1_764_273_600_125 };
  const points = metric.points.map((point) => ({
    ...point,
    exemplars: point.exemplars.map((_, index) => (index === 1 ? exemplar : undefined)),
  }));
  return { ...metric, points };
}
