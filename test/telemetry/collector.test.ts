// Proves, with a real OpenTelemetry collector, that a call has its client's, its server's and its store's spans in one
// tree; that metrics arrive; that faults are kept at a ratio of 0; and that a server whose collector is away serves,
// says so once, and ends in time.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Code } from '@connectrpc/connect';
import { ProtobufTraceSerializer, TraceExporterMetricsHelper } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { createUsersClient } from '../../client/client.ts';
import { ExportLog } from '../../functions/process/otlp/export-log.ts';
import { openExporter } from '../../functions/process/otlp/exporter.ts';
import { Metrics } from '../../functions/rpc/index.ts';
import { endsWith } from '../support/outcome.ts';
import { patienceMs } from '../support/patience.ts';
import { ServerProcess } from '../support/process.ts';
import { attributesOf, Collector } from './collector.ts';

/** The server, or what USERS_MAIN names, such as its bundle. */
function startServer(t: TestContext, settings: NodeJS.ProcessEnv): ServerProcess {
  const args = [process.env.USERS_MAIN ?? 'functions/main.ts'];
  const often = { OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_METRIC_EXPORT_INTERVAL: '100' };
  const server = new ServerProcess({ args, settings: { USERS_STORE: 'memory', ...often, ...settings } });
  t.after(() => server.kill());
  return server;
}

/** A tracer, as an application has one, that sends its spans to the collector. */
async function tracerTo(t: TestContext, url: string) {
  const endpoint = { url: `${url}/v1/traces`, headers: {}, timeoutMs: patienceMs, ca: undefined };
  const signal = {
    serializer: ProtobufTraceSerializer,
    helper: TraceExporterMetricsHelper,
    component: 'otlp_http_span_exporter',
  };
  const log = new ExportLog('span', endpoint.url, new Metrics(), { info() {}, warn() {} });
  const exporter = await openExporter({ ...endpoint, compression: 'none' }, signal, log);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'client' }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  t.after(() => provider.shutdown());
  return provider.getTracer('test');
}

test('a call has the spans of client, server and store in one tree, and is counted', async (t) => {
  const collector = await Collector.start(t);
  const server = startServer(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, USERS_SAMPLES: '1' });
  using users = createUsersClient({
    endpoint: await server.url(),
    tracer: await tracerTo(t, collector.url),
  });
  const found: string[] = [];
  for await (const { result } of users.getUsers({ user: [{ username: 'alexa' }] })) {
    if (result.case === 'user') found.push(result.value.username);
  }
  assert.deepEqual(found, ['alexa']);
  const spans = await collector.spansWith(
    (all) =>
      all.some(({ service }) => service === 'client') &&
      all.some(({ name, service }) => service === 'users' && name === 'Users/GetUsers'),
  );
  const client = spans.find(({ service }) => service === 'client');
  assert.ok(client !== undefined);
  const inTrace = spans.filter(({ traceId }) => traceId === client.traceId);
  const ofServer = inTrace.find(({ parentSpanId }) => parentSpanId === client.spanId);
  assert.ok(ofServer !== undefined, JSON.stringify(spans));
  const ofStore = inTrace.find(({ parentSpanId }) => parentSpanId === ofServer.spanId);
  assert.ok(ofStore !== undefined, JSON.stringify(spans));
  assert.ok(!client.parentSpanId);
  assert.deepEqual(
    [client, ofServer, ofStore].map(({ kind, service }) => [kind, service]),
    [
      [3, 'client'],
      [2, 'users'],
      [3, 'users'],
    ],
  );
  assert.equal(ofServer.attributes['rpc.method'], 'Users/GetUsers');
  assert.equal(ofStore.attributes['db.system.name'], 'memory');
  const line = await server.line('call');
  assert.equal(line.traceId, client.traceId);
  assert.equal(line.spanId, ofServer.spanId);

  const { unit, histogram } = await collector.metric('rpc.server.call.duration');
  assert.equal(unit, 's');
  const methods = histogram?.dataPoints.map(({ attributes }) => attributesOf(attributes)['rpc.method']);
  assert.ok(methods?.includes('Users/GetUsers'), JSON.stringify(histogram));
  await server.stop();
});

test('of a ratio of 0 a fault is kept, and what goes well is not', async (t) => {
  const collector = await Collector.start(t);
  const server = startServer(t, {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
    OTEL_TRACES_SAMPLER: 'parentbased_always_off',
    // The second sign-up finds no room, which is the server's fault.
    MAX_MEMORY_USERS: '1',
  });
  using users = createUsersClient({ endpoint: await server.url(), retry: { maxAttempts: 1 } });
  await users.createUser({ username: 'ann' });
  await endsWith(Code.Unavailable, users.createUser({ username: 'ben' }));
  await server.stop();
  const spans = await collector.spansWith((all) => all.length > 0);
  const roots = spans.filter(({ name }) => name === 'Users/CreateUser');
  assert.deepEqual(
    roots.map(({ attributes, status }) => [attributes['rpc.status_code'], status.code]),
    [['UNAVAILABLE', 2]],
  );
});

test('a server whose collector is away serves, says so once, and ends in time', async (t) => {
  const server = startServer(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_TIMEOUT: '300',
  });
  using users = createUsersClient({ endpoint: await server.url() });
  await users.createUser({ username: 'ann' });
  const { endpoint, reason } = await server.line("spans can't be sent");
  assert.equal(endpoint, 'http://127.0.0.1:1');
  assert.match(String(reason), /ECONNREFUSED/);
  for (const username of ['ben', 'cleo']) await users.createUser({ username });
  const startedAtMs = performance.now();
  await server.stop();
  assert.ok(performance.now() - startedAtMs < 2 * patienceMs);
  const told = server
    .printed()
    .split('\n')
    .filter((line) => line.includes("can't be sent"));
  assert.equal(told.length, 1);
});
