// Proves that the log and the metrics take the same calls for faults of the server, by every protocol: those that
// alarms go off for. Whatever clients make is none, nor is a drain, for calls and for a load balancer that asks for
// health.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { Metrics } from '../../functions/rpc/index.ts';
import { Health } from '../../functions/rpc/standard/gen/health/v1/health_pb.js';
import { endsWith } from '../support/outcome.ts';
import { eventually } from '../support/patience.ts';
import { nameOf, transportOf, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { call } from './raw.ts';
import { countOf, figureOf } from './telemetry/readings.ts';

const method = { 'rpc.method': 'test.echo.v1.Echo/Unary' };

for (const wire of wires) {
  describe(`faults by ${nameOf(wire)}`, () => {
    const failing = async (t: Parameters<typeof serve>[0], unary: () => object | Promise<object>) => {
      const metrics = new Metrics();
      const serving = await serve(t, { unary }, { telemetry: { metrics } });
      return { metrics, serving, echo: echoOf(serving, wire) };
    };

    it('are internal errors, and UNAVAILABLE with a cause', async (t) => {
      const errors = [
        new Error('a bug'),
        ...[Code.Internal, Code.Unknown, Code.DataLoss].map((code) => new ConnectError('a fault', code)),
        new ConnectError('no store', Code.Unavailable, undefined, undefined, new Error('refused')),
      ];
      let next = 0;
      const { metrics, serving, echo } = await failing(t, () => {
        throw errors[next++];
      });
      for (const _ of errors) await assert.rejects(echo.unary({}));
      assert(await eventually(() => serving.lines.length === errors.length));
      assert(serving.lines.every(({ fault }) => fault === true));
      assert.equal(figureOf(metrics, 'rpc.server.faults', method), errors.length);
    });

    it('are not what clients and load make', async (t) => {
      const overload = Object.assign(new Error('throttled'), { isOverload: true });
      const errors = [
        new ConnectError('busy', Code.Unavailable),
        new ConnectError('throttled', Code.Unavailable, undefined, undefined, overload),
        new ConnectError('spent', Code.ResourceExhausted, undefined, undefined, new Error('why')),
      ];
      const { metrics, serving, echo } = await failing(t, async () => {
        const error = errors.shift();
        if (error) throw error;
        await new Promise(() => {}); // until the deadline
        return {};
      });
      for (const { code } of [...errors]) await endsWith(code, echo.unary({}));
      await endsWith(Code.DeadlineExceeded, echo.unary({}, { timeoutMs: 1 }));
      await endsWith(Code.Unimplemented, echo.missing({}));
      const body = wire.protocol === 'connect' ? Buffer.from([0xff]) : Buffer.from([0, 0, 0, 0, 1, 0xff]);
      await call(serving, wire, { body });
      await call(serving, wire, {
        headers: { [wire.protocol === 'connect' ? 'content-encoding' : 'grpc-encoding']: 'br' },
      });
      // A frame that says it is compressed, though no encoding was announced.
      await call(serving, wire, { body: Buffer.from([1, 0, 0, 0, 1, 0xff]) });
      assert(await eventually(() => serving.lines.length >= 7), JSON.stringify(serving.lines));
      assert.deepEqual(
        serving.lines.filter(({ fault }) => fault),
        [],
      );
      assert(!figureOf(metrics, 'rpc.server.faults', method));
    });
  });
}

it('a load balancer that is told of a drain is no failed call', async (t) => {
  const metrics = new Metrics();
  const serving = await serve(t, {}, { telemetry: { metrics }, limits: { drainDelayMs: 300 } });
  const health = createClient(Health, transportOf(serving, { protocol: 'grpc', http: '2' }));
  await health.check({});
  const drained = serving.server.drain();
  const headers = { 'user-agent': 'ELB-HealthChecker/2.0' };
  await endsWith(Code.Unavailable, health.check({}, { headers }));
  assert.equal(countOf(metrics, 'rpc.server.call.duration', { 'rpc.status_code': 'UNAVAILABLE' }), 1);
  assert(!figureOf(metrics, 'rpc.server.faults', { 'rpc.method': 'grpc.health.v1.Health/Check' }));
  const line = await serving.line(({ code }) => code === 'UNAVAILABLE');
  assert.equal(line.fault, undefined);
  serving.cut();
  await drained;
});
