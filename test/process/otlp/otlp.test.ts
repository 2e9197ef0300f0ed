// Proves that traces and metrics of a server's calls are sent by OTLP; that of a ratio of 0 faults are kept, and no
// more of them than the limit; and that a collector that is away, slow or full costs a bounded queue and a line of the
// log: calls go on, and the end is not held up.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { Code } from '@connectrpc/connect';
import { readTelemetrySettings } from '../../../functions/process/otlp/settings.ts';
import { startTelemetry } from '../../../functions/process/otlp/telemetry.ts';
import { type Environment, Settings } from '../../../functions/process/settings.ts';
import { Metrics, rpcLimits } from '../../../functions/rpc/index.ts';
import { echoOf, serve } from '../../rpc/echo.ts';
import { type Answer, receiveOtlp } from '../../support/otlp-receiver.ts';
import { endsWith } from '../../support/outcome.ts';
import { eventually, patienceMs } from '../../support/patience.ts';

const grpc = { protocol: 'grpc', http: '2' } as const;
const often = { OTEL_BSP_SCHEDULE_DELAY: '10', OTEL_METRIC_EXPORT_INTERVAL: '20' };

/** A server of Echo with telemetry by these settings. What it logs of the sending is in `lines`. */
async function watched(t: TestContext, env: Environment, limits: Partial<typeof rpcLimits> = {}) {
  const config = readTelemetrySettings(new Settings({ ...often, ...env }), 'echo');
  const metrics = new Metrics();
  const lines: { message: string; fields: object }[] = [];
  const log = (fields: object, message: string) => void lines.push({ fields, message });
  const telemetry = await startTelemetry(config, { ...rpcLimits, ...limits }, metrics, {
    info: log,
    warn: log,
  });
  const serving = await serve(
    t,
    {
      unary: ({ text }) => {
        if (text === 'fail') throw new RangeError('a fault');
        return { text };
      },
    },
    { telemetry: { metrics, tracing: telemetry.tracing, observers: telemetry.observers } },
  );
  const countOf = (name: string, errorType?: string) => {
    const metric = metrics.collect().find((it) => it.name === name);
    const points = metric === undefined || metric.kind === 'histogram' ? [] : metric.points;
    return points.find((it) => it.labels['error.type'] === errorType)?.value ?? 0;
  };
  return {
    echo: echoOf(serving, grpc),
    lines,
    telemetry,
    metrics,
    countOf,
    // Before the receiver closes: what is sent to it then would be tried again.
    [Symbol.asyncDispose]: () => telemetry.close(),
  };
}

it('nothing is sent, nor recorded, where no setting asks for it', async () => {
  const config = readTelemetrySettings(new Settings({}), 'echo');
  const telemetry = await startTelemetry(config, rpcLimits, new Metrics(), console);
  assert.equal(telemetry.tracing, undefined);
  assert.deepEqual(telemetry.observers, []);
  await telemetry.close();
});

describe('a collector gets', () => {
  for (const compression of ['none', 'gzip']) {
    it(`the spans of calls, and the metrics; compression: ${compression}`, async (t) => {
      const receiver = await receiveOtlp(t);
      await using server = await watched(t, {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_HEADERS: 'api-key=secret',
        OTEL_EXPORTER_OTLP_COMPRESSION: compression,
      });
      const { echo, metrics, countOf } = server;
      metrics.counter('my.count', { description: '', unit: '' }).of({}).add(1);
      await echo.unary({ text: 'a' });
      const traces = await receiver.next(({ path }) => path === '/v1/traces');
      assert.equal(traces.headers['content-type'], 'application/x-protobuf');
      assert.equal(traces.headers['api-key'], 'secret');
      assert.equal(traces.headers['content-encoding'], compression === 'gzip' ? 'gzip' : undefined);
      assert.ok(traces.body.includes('test.echo.v1.Echo/Unary'));
      assert.ok(traces.body.includes('echo'));
      await receiver.next(({ path, body }) => path === '/v1/metrics' && body.includes('my.count'));
      assert.ok(await eventually(() => countOf('otel.sdk.exporter.span.exported') === 1));
    });
  }

  it('what is left, at the end', async (t) => {
    const receiver = await receiveOtlp(t);
    const slow = { OTEL_BSP_SCHEDULE_DELAY: '1000000', OTEL_METRIC_EXPORT_INTERVAL: '1000000' };
    await using server = await watched(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      ...slow,
    });
    const { echo, metrics, telemetry } = server;
    metrics.counter('my.count', { description: '', unit: '' }).of({}).add(1);
    await echo.unary({ text: 'a' });
    assert.equal(receiver.received.length, 0);
    await telemetry.close();
    assert.deepEqual(receiver.received.map(({ path }) => path).sort(), ['/v1/metrics', '/v1/traces']);
  });

  it('faults of a ratio of 0, up to the limit, and nothing else', async (t) => {
    const receiver = await receiveOtlp(t);
    const env = {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces`,
      OTEL_TRACES_SAMPLER: 'always_off',
    };
    await using server = await watched(t, env, { maxFaultTracesPerSecond: 3 });
    const { echo, telemetry, countOf } = server;
    for (let count = 0; count < 5; count += 1) await echo.unary({ text: 'fine' });
    for (let count = 0; count < 20; count += 1) await endsWith(Code.Internal, echo.unary({ text: 'fail' }));
    await telemetry.close();
    const spans = countOf('otel.sdk.exporter.span.exported');
    // The calls may fall into two seconds.
    assert.ok(spans >= 3 && spans <= 6, String(spans));
    assert.ok(receiver.received.every(({ body }) => body.includes('RangeError')));
  });
});

describe('a collector that', () => {
  const exporting = (port: number) => ({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${port}/v1/traces`,
    OTEL_EXPORTER_OTLP_TIMEOUT: '200',
  });

  it('is away is told of once, and of what is lost there is a count', async (t) => {
    await using server = await watched(t, exporting(1));
    const { echo, lines, countOf } = server;
    for (let count = 0; count < 3; count += 1) {
      await echo.unary({ text: 'a' });
      const lost = () => countOf('otel.sdk.exporter.span.exported', 'export_failed') > count;
      assert.ok(await eventually(lost));
    }
    assert.equal(lines.length, 1, JSON.stringify(lines));
    assert.equal(lines[0]?.message, "spans can't be sent");
    assert.match(JSON.stringify(lines[0]?.fields), /"endpoint":"http:\/\/127\.0\.0\.1:1".*ECONNREFUSED/);
  });

  it('refuses is told of by its status, not by what it says; and so that it takes them again', async (t) => {
    const answer: Answer = (number, response) => {
      response.statusCode = number < 1 ? 401 : 200;
      response.end('your key hunter2 is wrong');
    };
    const receiver = await receiveOtlp(t, answer);
    await using server = await watched(t, exporting(receiver.port));
    const { echo, lines } = server;
    await echo.unary({ text: 'a' });
    assert.ok(await eventually(() => lines.length === 1));
    await echo.unary({ text: 'a' });
    assert.ok(await eventually(() => lines.length === 2));
    assert.match(JSON.stringify(lines), /HTTP status 401/);
    assert.equal(lines[1]?.message, 'spans are sent again');
    assert.ok(!JSON.stringify(lines).includes('hunter2'));
  });

  it('is busy for a moment is asked again', async (t) => {
    const answer: Answer = (number, response) => {
      if (number === 0) response.writeHead(503, { 'retry-after': '1' });
      response.end();
    };
    const receiver = await receiveOtlp(t, answer);
    const env = { ...exporting(receiver.port), OTEL_EXPORTER_OTLP_TIMEOUT: '10000' };
    await using server = await watched(t, env);
    const { echo, lines, countOf } = server;
    await echo.unary({ text: 'a' });
    assert.ok(await eventually(() => countOf('otel.sdk.exporter.span.exported') === 1));
    assert.equal(receiver.received.length, 2);
    assert.deepEqual(lines, []);
  });

  it('switches protocols, time and again, gets what comes after that', async (t) => {
    const exports = 12; // more than are under way at a time
    const answer: Answer = (number, response) => {
      if (number < exports)
        response.socket?.end('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
      else response.end();
    };
    const receiver = await receiveOtlp(t, answer);
    await using server = await watched(t, exporting(receiver.port));
    const { echo, lines, countOf } = server;
    for (let count = 0; count < exports; count += 1) {
      await echo.unary({ text: 'a' });
      const lost = () => countOf('otel.sdk.exporter.span.exported', 'export_failed') > count;
      assert.ok(await eventually(lost));
    }
    await echo.unary({ text: 'a' });
    assert.ok(await eventually(() => countOf('otel.sdk.exporter.span.exported') === 1));
    assert.match(JSON.stringify(lines), /HTTP status 101/);
  });

  it('never answers has a queue with an end, and does not hold up the end of the server', async (t) => {
    const held: ServerResponse[] = [];
    const receiver = await receiveOtlp(t, (_, response) => void held.push(response));
    await using server = await watched(t, {
      ...exporting(receiver.port),
      OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
      OTEL_BSP_MAX_QUEUE_SIZE: '5',
    });
    const { echo, telemetry, countOf } = server;
    for (let count = 0; count < 20; count += 1) await echo.unary({ text: 'a' });
    assert.ok(await eventually(() => countOf('otel.sdk.processor.span.processed', 'queue_full') === 15));
    const startedAtMs = performance.now();
    await telemetry.close();
    assert.ok(performance.now() - startedAtMs < patienceMs);
    for (const response of held) response.end();
  });
});
