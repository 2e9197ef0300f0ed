// Proves with a real Prometheus what a server says of its calls: that it is scraped as OpenMetrics, the quantiles of
// durations by method and status, an exemplar for each call that is sampled, and labels as they were, whatever is in
// them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { type TestContext, test } from 'node:test';
import { Code, createClient } from '@connectrpc/connect';
import { buildInfo } from '../../functions/process/build-info.ts';
import { watchRuntime } from '../../functions/process/runtime-metrics.ts';
import {
  Metrics,
  openMetricsText,
  openMetricsType,
  prometheusText,
  prometheusType,
  RpcServer,
} from '../../functions/rpc/index.ts';
import { echoService } from '../rpc/echo-service.ts';
import { Echo } from '../rpc/gen/echo_pb.js';
import { endsWith } from '../support/outcome.ts';
import { startPrometheus } from './scraped-server.ts';

const hostile = 'a"b\\c\nd} 1 # EOF é\r\u2028😀';
const calls = 20;

test('what Prometheus knows of a server', async (t) => {
  const metrics = new Metrics();
  const traceIds = await callAll(t, metrics);
  metrics.counter('test.hostile', { description: hostile, unit: '{call}' }).of({ hostile }).add(1);
  const { address, accepted } = await serveMetrics(t, metrics);
  const prometheus = await startPrometheus(t, address);
  const ask = async (path: string, parameters: Record<string, string>) => {
    const response = await fetch(`${prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = JSON.parse(await response.text());
    assert.equal(status, 'success', error);
    return data;
  };
  const query = async (promql: string): Promise<Sample[]> => (await ask('query', { query: promql })).result;
  await until(async () => (await query('up == 1')).length === 1);
  const targets = await ask('targets', {});

  await t.test('it is scraped as OpenMetrics, without a fault', () => {
    const [{ health, lastError }] = targets.activeTargets;
    assert.deepEqual([health, lastError], ['up', '']);
    assert.match(accepted[0] ?? '', /application\/openmetrics-text/);
  });

  await t.test('calls by method and status', async () => {
    const found = await query('rpc_server_call_duration_seconds_count');
    const seen = found.map(({ metric, value }) => [
      metric.rpc_method,
      metric.rpc_system_name,
      metric.rpc_status_code,
      Number(value[1]),
    ]);
    assert.deepEqual(seen.sort(), [
      ['_OTHER', 'connectrpc', 'UNIMPLEMENTED', 1],
      ['test.echo.v1.Echo/Unary', 'local', 'NOT_FOUND', 1],
      ['test.echo.v1.Echo/Unary', 'local', 'OK', calls],
    ]);
    const [refused] = await query('rpc_server_refusals_total{reason="UNKNOWN_METHOD"}');
    assert.equal(refused?.value[1], '1');
  });

  await t.test('the time that one call in a hundred exceeds', async () => {
    const quantile =
      'histogram_quantile(0.99, rpc_server_call_duration_seconds_bucket{rpc_status_code="OK"})';
    const [p99] = await query(quantile);
    const seconds = Number(p99?.value[1]);
    assert.ok(seconds > 0 && seconds <= 30, `${seconds} s`);
  });

  await t.test('exemplars are the traces of calls', async () => {
    const now = Date.now() / 1000;
    const series = 'rpc_server_call_duration_seconds_bucket';
    const range = { query: series, start: String(now - 600), end: String(now + 600) };
    const found: { exemplars: { labels: Record<string, string> }[] }[] = await ask('query_exemplars', range);
    const traced = found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id ?? ''));
    assert.notEqual(traced.length, 0);
    for (const traceId of traced) assert.ok(traceIds.has(traceId), traceId);
  });

  await t.test('labels come back as they were', async () => {
    const [found] = await query('test_hostile_total');
    assert.equal(found?.metric.hostile, hostile);
  });

  await t.test('the process, and what runs in it', async () => {
    const [target] = await query('target_info');
    assert.equal(target?.metric.process_runtime_version, process.versions.node);
    const joined = await query(
      'process_cpu_time_seconds_total * on (instance) group_left (service_name) target_info',
    );
    assert.equal(joined[0]?.metric.service_name, 'echo');
  });

  await t.test('promtool finds nothing to say of the older format', () => {
    const text = prometheusText(metrics.collect().filter(({ name }) => name !== 'test.hostile'));
    const said = execFileSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    assert.equal(said, '');
  });
});

/** Asks again and again until it is so. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + 30_000;
  while (!(await condition())) {
    assert.ok(performance.now() < giveUpAtMs, 'Prometheus has not scraped the server');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [atSeconds: number, value: string];
}

/** Counts calls that end well, fail, and are of no method. Returns the ids of their traces. */
async function callAll(t: TestContext, metrics: Metrics): Promise<ReadonlySet<string>> {
  const traceIds = new Set<string>();
  const service = echoService(new Map());
  const tracing = { followsParents: true, ratio: 1 };
  const observers = [
    { ended: ({ trace }: { trace?: { traceId: string } | undefined }) => traceIds.add(trace?.traceId ?? '') },
  ];
  const server = new RpcServer({
    routes: (router) => router.service(Echo, service),
    telemetry: { metrics, tracing, observers },
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  const runtime = watchRuntime(metrics, { 'service.name': 'echo', ...buildInfo() });
  t.after(() => runtime.close());
  const local = createClient(Echo, server.local);
  for (let call = 0; call < calls; call++) await local.unary({});
  await endsWith(Code.NotFound, local.unary({ failure: { code: Code.NotFound } }));
  const json = { 'content-type': 'application/json' };
  await (
    await fetch(`http://127.0.0.1:${port}/no.Such/Method`, { method: 'POST', headers: json, body: '{}' })
  ).text();
  return traceIds;
}

/** Answers scrapers as they ask; `accepted`: what they have asked for. */
async function serveMetrics(t: TestContext, metrics: Metrics) {
  const accepted: string[] = [];
  const server = http.createServer(({ headers: { accept = '' } }, response) => {
    accepted.push(accept);
    const isOpen = accept.includes('application/openmetrics-text');
    response.setHeader('content-type', isOpen ? openMetricsType : prometheusType);
    response.end((isOpen ? openMetricsText : prometheusText)(metrics.collect()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { address: `127.0.0.1:${address.port}`, accepted };
}
