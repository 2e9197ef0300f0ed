// Proves the standard health service: Check, List and Watch, before, during and after a change, in each protocol;
// /healthz for load balancers, /readyz beside it, and that the number of watches is bounded.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it } from 'node:test';
import { Code } from '@connectrpc/connect';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import { endsWith } from '../support/outcome.ts';
import { eventually, withPatience } from '../support/patience.ts';
import { requestHttp1, requestHttp2 } from '../support/raw-request.ts';
import { closeBefore } from '../support/server.ts';
import { clientOf, nameOf, wires } from '../support/transports.ts';
import { serve } from './echo.ts';
import { Echo } from './gen/echo_pb.js';

for (const wire of wires) {
  describe(`health over ${nameOf(wire)}`, () => {
    it('tells the status of the server and of each service', async (t) => {
      const serving = await serve(t);
      const health = clientOf(Health, serving, wire);
      assert.equal((await health.check({})).status, Status.SERVING);
      assert.equal((await health.check({ service: Echo.typeName })).status, Status.SERVING);
      await endsWith(Code.NotFound, health.check({ service: 'nowhere' }));
      serving.server.health.set(Echo.typeName, false);
      assert.equal((await health.check({ service: Echo.typeName })).status, Status.NOT_SERVING);
      // A load balancer of AWS reads the status of the call alone.
      const headers = { 'user-agent': 'ELB-HealthChecker/2.0' };
      await endsWith(Code.Unavailable, health.check({ service: Echo.typeName }, { headers }));
      assert.equal((await health.check({}, { headers })).status, Status.SERVING);
      const { statuses } = await health.list({});
      assert.deepEqual(
        Object.entries(statuses).map(([name, { status }]) => [name, Status[status]]),
        [
          ['', 'SERVING'],
          [Echo.typeName, 'NOT_SERVING'],
        ],
      );
    });

    it('tells those who watch of each change, and lets them go', async (t) => {
      const serving = await serve(t, {}, { limits: { maxWatches: 1 } });
      const health = clientOf(Health, serving, wire);
      const left = new AbortController();
      const watch = health.watch({ service: 'later' }, { signal: left.signal })[Symbol.asyncIterator]();
      const next = async () => Status[(await watch.next()).value?.status ?? Status.UNKNOWN];
      assert.equal(await next(), 'SERVICE_UNKNOWN');
      serving.server.health.set('later', true);
      assert.equal(await next(), 'SERVING');
      serving.server.health.set('later', false);
      assert.equal(await next(), 'NOT_SERVING');
      const another = health.watch({})[Symbol.asyncIterator]();
      await endsWith(Code.ResourceExhausted, another.next());
      left.abort();
      await assert.rejects(watch.next());
      // Its place is free again.
      assert.ok(await eventually(() => serving.lines.some(({ code }) => code === 'CANCELLED')));
      const again = new AbortController();
      const second = health.watch({}, { signal: again.signal })[Symbol.asyncIterator]();
      assert.equal((await second.next()).value?.status, Status.SERVING);
      again.abort();
      await assert.rejects(second.next());
    });
  });
}

for (const version of ['1.1', '2']) {
  it(`/healthz and /readyz answer GET and HEAD over HTTP/${version}`, async (t) => {
    const serving = await serve(t);
    const session = http2.connect(serving.url);
    closeBefore(serving, () => session.destroy());
    const get = async (method: string, path = '/healthz') => {
      const head = { method, path };
      const exchange = version === '2' ? requestHttp2(session, head) : requestHttp1(serving.url, head);
      exchange.request.end();
      exchange.read();
      assert.ok(await withPatience(exchange.closed.then(() => true)), `${method} ${path} has no answer`);
      return [exchange.status, exchange.headers['content-type'], exchange.body.toString()];
    };
    assert.deepEqual(await get('GET'), [200, 'text/plain', 'SERVING\n']);
    assert.deepEqual(await get('HEAD'), [200, 'text/plain', '']);
    assert.deepEqual(await get('GET', '/readyz'), [200, 'text/plain', 'READY\n']);
    serving.server.health.set(Echo.typeName, false, 'its disk is full');
    assert.deepEqual(await get('GET'), [200, 'text/plain', 'SERVING\n'], 'no other server could do more');
    assert.deepEqual(
      await get('GET', '/readyz'),
      [503, 'text/plain', 'NOT_READY\n'],
      'strangers learn no more',
    );
    assert.deepEqual(await get('HEAD', '/readyz'), [503, 'text/plain', '']);
    assert.deepEqual(serving.server.health.problems, [`${Echo.typeName} does not serve: its disk is full`]);
    serving.server.health.set(Echo.typeName, true);
    assert.deepEqual(await get('GET', '/readyz'), [200, 'text/plain', 'READY\n']);
    serving.server.health.set('', false);
    assert.deepEqual(await get('GET', '/readyz'), [503, 'text/plain', 'NOT_READY\n']);
    assert.deepEqual(await get('GET'), [503, 'text/plain', 'NOT_SERVING\n']);
    assert.deepEqual(await get('HEAD'), [503, 'text/plain', '']);
    assert.equal(serving.lines.length, 0, 'health checks are not calls');
  });
}

it('a server that ends does not serve again, whatever is set', async (t) => {
  const { server } = await serve(t);
  server.health.shutDown();
  server.health.set(Echo.typeName, true);
  assert.deepEqual(
    [...server.health.services],
    [
      ['', false],
      [Echo.typeName, false],
    ],
  );
  assert.deepEqual(server.health.problems, ['it is draining']);
});

it('/healthz and /readyz take GET and HEAD alone, and say so', async (t) => {
  const serving = await serve(t);
  for (const path of ['/healthz', '/readyz']) {
    for (const method of ['DELETE', 'POST', 'PUT']) {
      const exchange = requestHttp1(serving.url, { path, method });
      exchange.read();
      exchange.request.end();
      await withPatience(exchange.ended);
      assert.deepEqual([exchange.status, exchange.headers.allow], [405, 'GET'], `${method} ${path}`);
    }
    const head = requestHttp1(serving.url, { path, method: 'HEAD' });
    head.read();
    head.request.end();
    await withPatience(head.ended);
    assert.deepEqual([head.status, head.body.length], [200, 0]);
  }
});
