// Proves that targets become healthy and unhealthy as those of a load balancer: after their first passed check, and
// from then on after as many in a row as the target group says; and what a health check takes for healthy, of real
// servers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { describe, it } from 'node:test';
import {
  type HealthCheck,
  healthCheckOf,
  matches,
  probe,
  TargetHealth,
} from '../../rehearsal/health-check.ts';

/** The states after each check: `+` passes, `-` fails. */
function states(
  thresholds: { healthyThreshold: number; unhealthyThreshold: number },
  checks: string,
): string {
  const health = new TargetHealth(thresholds);
  return [...checks]
    .map((it) => {
      health.record(it === '+');
      return health.state[0];
    })
    .join('');
}

describe('a target', () => {
  it('is healthy after its first passed check', () => {
    assert.equal(states({ healthyThreshold: 5, unhealthyThreshold: 2 }, '+'), 'h');
    assert.equal(states({ healthyThreshold: 5, unhealthyThreshold: 2 }, '-+'), 'ih');
  });
  it('is unhealthy after failures in a row, and no others', () => {
    assert.equal(states({ healthyThreshold: 2, unhealthyThreshold: 3 }, '+--+--+---'), 'hhhhhhhhhu');
    assert.equal(states({ healthyThreshold: 2, unhealthyThreshold: 2 }, '--'), 'iu');
  });
  it('is healthy again after as many passed checks in a row as the group says', () => {
    assert.equal(states({ healthyThreshold: 3, unhealthyThreshold: 2 }, '--++-+++'), 'iuuuuuuh');
  });
});

it('takes the codes of a matcher', () => {
  assert.ok(matches('200', 200) && matches('200,204', 204) && matches('200-299', 250) && matches('0-99', 12));
  assert.ok(
    !matches('200', 201) && !matches('200-299', 300) && !matches('0', 14) && !matches('0', Number.NaN),
  );
});

it('reads a target group, with what AWS takes where it says nothing', () => {
  assert.deepEqual(healthCheckOf({}), {
    protocol: 'HTTP1',
    path: '/',
    matcher: '200',
    intervalMs: 30_000,
    timeoutMs: 5000,
    healthyThreshold: 5,
    unhealthyThreshold: 2,
  });
  const grpc = healthCheckOf({ ProtocolVersion: 'GRPC' });
  assert.deepEqual([grpc.path, grpc.matcher], ['/AWS.ALB/healthcheck', '12']);
});

describe('a check', () => {
  const check = (protocol: HealthCheck['protocol'], matcher: string): HealthCheck => {
    const times = { intervalMs: 1000, timeoutMs: 200, healthyThreshold: 2, unhealthyThreshold: 2 };
    return { protocol, path: '/up', matcher, ...times };
  };
  async function asked(server: Server, of: HealthCheck): Promise<boolean> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      return await probe(of, '127.0.0.1', (server.address() as AddressInfo).port);
    } finally {
      server.close();
    }
  }

  it('by HTTP reads the status', async () => {
    const server = () =>
      http.createServer((request, response) => response.writeHead(request.url === '/up' ? 204 : 500).end());
    assert.equal(await asked(server(), check('HTTP1', '200-299')), true);
    assert.equal(await asked(server(), check('HTTP1', '200')), false);
  });

  const grpcServer = (status: number, isTrailer: boolean) =>
    http2.createServer().on('stream', (stream) => {
      const headers = { ':status': 200, 'content-type': 'application/grpc' };
      if (!isTrailer)
        return stream.respond({ ...headers, 'grpc-status': String(status) }, { endStream: true });
      stream.respond(headers, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status) }));
      return stream.end(Buffer.alloc(5));
    });
  it('by gRPC reads grpc-status, in trailers and without', async () => {
    for (const isTrailer of [true, false]) {
      assert.equal(await asked(grpcServer(0, isTrailer), check('GRPC', '0')), true);
      assert.equal(await asked(grpcServer(14, isTrailer), check('GRPC', '0')), false);
    }
  });

  it('fails where nobody answers in time, or at all', async () => {
    assert.equal(
      await asked(
        http.createServer(() => {}),
        check('HTTP1', '200'),
      ),
      false,
    );
    assert.equal(await probe(check('GRPC', '0'), '127.0.0.1', 1), false);
  });
});
