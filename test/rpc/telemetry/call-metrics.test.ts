// A server counts its calls by OpenTelemetry's conventions: durations by method, protocol and status, sizes, deadlines,
// reasons of refusals, and calls under way. What clients make up is one series, and a sampled call is an exemplar.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { ErrorInfoSchema, Metrics } from '../../../functions/rpc/index.ts';
import type { RpcServerOptions } from '../../../functions/rpc/server-options.ts';
import { Health } from '../../../functions/rpc/standard/gen/health/v1/health_pb.js';
import { all, endsWith } from '../../support/outcome.ts';
import { eventually } from '../../support/patience.ts';
import { requestHttp2 } from '../../support/raw-request.ts';
import { closeBefore } from '../../support/server.ts';
import { transportOf, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { echoService } from '../echo-service.ts';
import { Echo } from '../gen/echo_pb.js';
import { countOf, figureOf, histogramOf } from './readings.ts';

const grpc = { protocol: 'grpc', http: '2' } as const;
const unary = 'test.echo.v1.Echo/Unary';
const duration = 'rpc.server.call.duration';

async function watch(t: TestContext, options: Partial<RpcServerOptions> = {}) {
  const metrics = new Metrics();
  const telemetry = { ...options.telemetry, metrics };
  const serving = await serve(t, echoService(new Map()), { ...options, telemetry });
  return { metrics, serving, echo: echoOf(serving, grpc) };
}

describe('the metrics of calls', () => {
  it('tell durations by method, protocol and status', async (t) => {
    const { metrics, serving } = await watch(t);
    for (const wire of wires) await echoOf(serving, wire).unary({});
    await createClient(Echo, serving.server.local).unary({});
    const failing = echoOf(serving, grpc).unary({ failure: { code: Code.Unavailable } });
    await endsWith(Code.Unavailable, failing);
    const labels = histogramOf(metrics, duration).map((point) => [point.labels, point.count]);
    const ok = { 'rpc.method': unary, 'rpc.status_code': 'OK' };
    const unavailable = { 'rpc.status_code': 'UNAVAILABLE', 'error.type': 'UNAVAILABLE' };
    assert.deepEqual(labels, [
      [{ ...ok, 'rpc.system.name': 'grpc' }, 3],
      [{ ...ok, 'rpc.system.name': 'connectrpc' }, 2],
      [{ ...ok, 'rpc.system.name': 'local' }, 1],
      [{ 'rpc.method': unary, 'rpc.system.name': 'grpc', ...unavailable }, 1],
    ]);
    for (const { sum } of histogramOf(metrics, duration)) assert.ok(sum > 0 && sum < 60, 'seconds');
  });

  it('have a status for a code that does not exist', async (t) => {
    const metrics = new Metrics();
    const unary = () => {
      throw new ConnectError('odd', 4711 as Code); // as a service in JavaScript might
    };
    const serving = await serve(t, { unary }, { telemetry: { metrics } });
    const local = createClient(Echo, serving.server.local);
    await assert.rejects(local.unary({}));
    await assert.rejects(local.unary({}));
    assert.equal(countOf(metrics, duration, { 'rpc.status_code': 'UNKNOWN' }), 2);
  });

  it('tell sizes and messages', async (t) => {
    const { metrics, echo } = await watch(t);
    await all(echo.serverStream({ text: 'a'.repeat(1000), count: 3 }));
    const method = { 'rpc.method': 'test.echo.v1.Echo/ServerStream' };
    const [request] = histogramOf(metrics, 'rpc.server.request.size');
    const [response] = histogramOf(metrics, 'rpc.server.response.size');
    assert.deepEqual([request?.labels, request?.count, response?.count], [method, 1, 1], 'a call');
    assert.ok(request && request.sum > 1000 && request.sum < 1100);
    assert.ok(response && response.sum > 3000 && response.sum < 3100);
    assert.equal(figureOf(metrics, 'rpc.server.request.messages', method), 1);
    assert.equal(figureOf(metrics, 'rpc.server.response.messages', method), 3);
  });

  it('tell deadlines that were given, and missed', async (t) => {
    const { metrics, echo } = await watch(t, { limits: { defaultDeadlineMs: 50 } });
    await echo.unary({}, { headers: { 'grpc-timeout': '10S' } });
    await endsWith(Code.DeadlineExceeded, echo.unary({ hang: true }, { headers: { 'grpc-timeout': '5m' } }));
    // The server's own, and one that can't be read.
    await endsWith(Code.DeadlineExceeded, echo.unary({ hang: true }));
    await endsWith(Code.InvalidArgument, echo.unary({}, { headers: { 'grpc-timeout': 'soon' } }));
    assert.equal(figureOf(metrics, 'rpc.server.deadlines.given', { 'rpc.method': unary }), 2);
    assert.equal(figureOf(metrics, 'rpc.server.deadlines.missed', { 'rpc.method': unary }), 1);
  });

  it('tell calls under way', async (t) => {
    const { metrics, serving, echo } = await watch(t);
    const call = new AbortController();
    const active = () => figureOf(metrics, 'rpc.server.active_calls');
    const hanging = echo.unary({ hang: true }, { signal: call.signal });
    assert.ok(await eventually(() => active() === 1));
    await echo.unary({});
    await fetch(`${serving.url}/healthz`);
    assert.equal(active(), 1);
    call.abort();
    await endsWith(Code.Canceled, hanging);
    assert.ok(await eventually(() => active() === 0));
    const labels = { 'rpc.method': unary, 'rpc.status_code': 'CANCELLED' };
    assert.equal(countOf(metrics, duration, labels), 1);
  });

  it('name the reasons of refusals', async (t) => {
    const metrics = new Metrics();
    const reasons = ['OWN_REASON', 'OWN_REASON', undefined];
    const unary = () => {
      const error = new ConnectError('no', Code.FailedPrecondition);
      const reason = reasons.shift();
      if (reason !== undefined) {
        error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: 'test' } });
      }
      throw error;
    };
    const gate = ({ path }: { path: string }) => {
      if (path.endsWith('/Get')) throw new ConnectError('\ud800', Code.PermissionDenied);
      return undefined;
    };
    const serving = await serve(t, { unary }, { gate, telemetry: { metrics } });
    const echo = echoOf(serving, grpc);
    for (let call = 0; call < 3; call++) await endsWith(Code.FailedPrecondition, echo.unary({}));
    await endsWith(Code.PermissionDenied, echo.get({}));
    await endsWith(Code.Unimplemented, echo.missing({}));
    await endsWith(Code.InvalidArgument, echo.unary({}, { headers: { 'grpc-timeout': 'soon' } }));
    assert.equal((await fetch(`${serving.url}/nowhere`)).status, 404);
    const refused = (reason: string) => figureOf(metrics, 'rpc.server.refusals', { reason });
    assert.deepEqual(
      ['OWN_REASON', '_OTHER', 'BAD_TIMEOUT', 'NOT_FOUND'].map(refused),
      [2, 3, 1, 1],
      JSON.stringify(metrics.collect().find(({ name }) => name === 'rpc.server.refusals')),
    );
  });

  it('name the reason of what a page has called within the process', async (t) => {
    const metrics = new Metrics();
    const unary = () => {
      throw new Error('inner');
    };
    const http = (local: Transport) => [
      {
        paths: ['/page'],
        methods: ['GET'],
        headers: [],
        answer: async () => void (await createClient(Echo, local).unary({})),
        errorText: () => 'no',
      },
    ];
    const serving = await serve(t, { unary }, { http, telemetry: { metrics } });
    assert.equal((await fetch(`${serving.url}/page`)).status, 500);
    // The page learns no cause, which makes another error for it.
    assert.equal(figureOf(metrics, 'rpc.server.refusals', { reason: 'INTERNAL' }), 2);
  });

  it('have no series for what clients and services make up', async (t) => {
    const metrics = new Metrics();
    const unary = () => {
      const error = new ConnectError('no', Code.Aborted);
      error.details.push({ desc: ErrorInfoSchema, value: { reason: `R${Math.random()}` } });
      throw error;
    };
    const serving = await serve(t, { unary }, { telemetry: { metrics } });
    const session = http2.connect(serving.url).setMaxListeners(0);
    closeBefore(serving, () => session.destroy());
    const local = createClient(Echo, serving.server.local);
    for (let call = 0; call < 300; call++) {
      await assert.rejects(local.unary({}));
      const path = `/made.up.S${call}/M${call}`;
      const headers = { 'content-type': 'application/grpc' };
      for (const request of [
        requestHttp2(session, { path, headers }),
        requestHttp2(session, { path, method: `M${call}` }),
      ]) {
        request.request.end();
        await request.read();
        await request.closed;
      }
    }
    for (const metric of metrics.collect()) {
      const few = metric.name === 'rpc.server.refusals' ? 202 : 6;
      assert.ok(metric.points.length <= few, `${metric.name} has ${metric.points.length} series`);
    }
    const other = { 'rpc.method': '_OTHER', 'rpc.status_code': 'UNIMPLEMENTED' };
    assert.equal(countOf(metrics, duration, other), 300);
    const http = {
      'http.route': '_OTHER',
      'http.request.method': '_OTHER',
      'http.response.status_code': '404',
    };
    assert.equal(countOf(metrics, 'http.server.request.duration', http), 300);
  });

  it('count plain HTTP by route, method and status, and health checks of load balancers not at all', async (t) => {
    const answer = async () => {};
    const resource = { paths: ['/page'], methods: ['GET'], headers: [], answer, errorText: () => 'no\n' };
    const { metrics, serving } = await watch(t, { http: () => [resource] });
    await (await fetch(`${serving.url}/page?q=1`)).text();
    await (await fetch(`${serving.url}/page`, { method: 'POST', body: 'x' })).text();
    await (await fetch(`${serving.url}/healthz`)).text();
    await (await fetch(`${serving.url}/test.echo.v1.Echo/Unary`)).text();
    const points = histogramOf(metrics, 'http.server.request.duration').map(({ labels }) => labels);
    const labels = (route: string, method: string, status: string) => ({
      'http.route': route,
      'http.request.method': method,
      'http.response.status_code': status,
    });
    assert.deepEqual(points, [
      labels('/page', 'GET', '200'),
      labels('/page', 'POST', '405'),
      labels('/test.echo.v1.Echo/Unary', 'GET', '405'),
    ]);
    assert.deepEqual(histogramOf(metrics, duration), []);
    await createClient(Health, transportOf(serving, grpc)).check({});
    assert.equal(countOf(metrics, duration, { 'rpc.method': 'grpc.health.v1.Health/Check' }), 1);
  });

  it('are told of a health check that is refused, and of no duration of a watch', async (t) => {
    const refused = new ConnectError('no', Code.PermissionDenied);
    const gate: RpcServerOptions['gate'] = ({ headers }) => {
      if (headers.want === 'refusal') throw refused;
      return undefined;
    };
    const { metrics, serving } = await watch(t, { gate });
    await (await fetch(`${serving.url}/healthz`, { headers: { want: 'refusal' } })).text();
    const route = { 'http.route': '/healthz', 'http.response.status_code': '403' };
    assert.equal(countOf(metrics, 'http.server.request.duration', route), 1);
    const ended = new AbortController();
    const health = createClient(Health, transportOf(serving, grpc));
    for await (const { status } of health.watch({}, { signal: ended.signal })) {
      assert.equal(status, 1);
      break;
    }
    ended.abort();
    assert.ok(await eventually(() => figureOf(metrics, 'rpc.server.active_calls') === 0));
    assert.equal(countOf(metrics, duration, { 'rpc.method': 'grpc.health.v1.Health/Watch' }), 0);
    assert.equal(figureOf(metrics, 'rpc.server.refusals', { reason: 'CANCELED' }), 1);
  });

  for (const [title, ratio, kept] of [
    ['of each call that is sampled', 1, [1, 2]],
    ['of each fault', 0, [0, 1]],
  ] as const) {
    it(`keep the trace ${title} as an exemplar`, async (t) => {
      const { metrics, echo } = await watch(t, { telemetry: { tracing: { followsParents: true, ratio } } });
      const exemplars = () =>
        histogramOf(metrics, duration).flatMap((it) => it.exemplars.filter((one) => one !== undefined));
      await echo.unary({});
      assert.equal(exemplars().length, kept[0]);
      await endsWith(Code.Internal, echo.unary({ failure: { code: 0 } }));
      assert.equal(exemplars().length, kept[1]);
      for (const { traceId, spanId } of exemplars()) {
        assert.match(`${traceId} ${spanId}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
      }
    });
  }
});
