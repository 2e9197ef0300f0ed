// Proves that callers without a credential can't take the memory of those who have one: what is refused and not read is
// bounded, whatever number of addresses it comes from, and known callers are let in meanwhile; that one address leaves
// room for others; that what is found of those that were cut ends nothing; that whoever fills the strangers' part with
// health checks that never end does not have those of others refused; and that gRPC calls beyond the part are told so
// in a complete answer.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import { it, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { badToken } from '../../../functions/rpc/errors.ts';
import { apiKeyWay, type Way } from '../../../functions/rpc/index.ts';
import { Health, HealthCheckResponse_ServingStatus } from '../../../proto/gen/health/v1/health_pb.js';
import { eventually } from '../../support/patience.ts';
import type { Serving } from '../../support/server.ts';
import { clientOf } from '../../support/transports.ts';
import { echoOf } from '../echo.ts';
import { bearer, keyOf } from './keys.ts';
import { serveBy } from './tokens.ts';

const kib = 1024;

/** Calls of a client that never reads; resolves with how many were cut once most are. */
async function flood(t: TestContext, way: Way, authorization?: string) {
  const limits = {
    maxHeldBytes: 400 * kib,
    maxHeldBytesPerClient: 300 * kib,
    maxHeldBytesPerConnection: 300 * kib,
  };
  const serving = await serveBy(t, way, limits);
  const session = http2.connect(serving.url, { settings: { initialWindowSize: 0 } });
  session.on('error', () => {});
  let cut = 0;
  for (let call = 0; call < 60; call += 1) {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/test.echo.v1.Echo/Unary',
      'content-type': 'application/json',
      'x-large': 'x'.repeat(8 * kib),
      ...(authorization && { authorization }),
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      cut += 1;
    });
    stream.end('{}');
  }
  // Those beyond the strangers' part are cut; the others wait for a client that never reads.
  assert.ok(await eventually(() => cut > 30), `${cut} were cut`);
  const { heldBytes } = serving.server.usage;
  assert.ok(heldBytes > 0 && heldBytes <= limits.maxHeldBytes / 4, `${heldBytes} bytes are held`);
  return { serving, [Symbol.dispose]: () => session.destroy() };
}

it('strangers that read nothing leave room for those who are known', async (t) => {
  using flooded = await flood(t, apiKeyWay([keyOf('good', 'tom', ['echo.call'])]));
  const echo = echoOf(flooded.serving, { protocol: 'grpc', http: '2' });
  assert.equal((await echo.unary({}, { headers: bearer('good') })).text, 'key:tom');
});

it('a stranger that is cut before its credential is found wrong does not end the process', async (t) => {
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => rejections.push(reason);
  process.on('unhandledRejection', onRejection);
  t.after(() => process.off('unhandledRejection', onRejection));
  const found = Promise.withResolvers<never>();
  found.promise.catch(() => {});
  using flooded = await flood(t, { identify: () => found.promise }, 'Bearer made.up.token');
  found.reject(badToken('it is made up'));
  // The process is told of rejections when a turn of the event loop is over.
  for (let turns = 0; turns < 3; turns += 1) await turn();
  assert.ok(flooded.serving.lines.length > 0);
  assert.deepEqual(rejections, []);
});

/** Half-open health checks from an address of this machine, as many as there is room for. */
async function fill(serving: Serving, localAddress: string, calls: number, large: string) {
  const port = Number(new URL(serving.url).port);
  const createConnection = () => net.connect({ host: '127.0.0.1', port, localAddress });
  const session = http2.connect(serving.url, { createConnection });
  session.on('error', () => {});
  const answers: unknown[] = [];
  let cut = 0;
  for (let call = 0; call < calls; call += 1) {
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        'grpc-timeout': '300S',
        'x-large': large,
      },
      { endStream: false },
    );
    stream.on('error', () => {});
    stream.on('response', (headers) => {
      answers.push(headers['grpc-status']);
    });
    stream.on('close', () => {
      cut += 1;
    });
  }
  assert.ok(await eventually(() => answers.length > 0));
  // Those beyond are told so, or a load balancer would make 502 of it, and an alarm of that.
  assert.deepEqual(new Set(answers), new Set(['8']));
  assert.equal(cut, 0);
  return { [Symbol.dispose]: () => session.destroy() };
}

it('half-open health checks that hold all that strangers may leave room for those of others', async (t) => {
  const maxHeldBytes = 2048 * kib;
  const serving = await serveBy(t, apiKeyWay([keyOf('good', 'tom', ['echo.call'])]), { maxHeldBytes });
  // An address may hold half of it.
  using _large = await fill(serving, '127.0.0.2', 80, 'x'.repeat(8 * kib));
  using _more = await fill(serving, '127.0.0.4', 80, 'x'.repeat(8 * kib));
  using _small = await fill(serving, '127.0.0.3', 80, '');
  assert.ok(serving.server.usage.heldBytes > maxHeldBytes / 4 - 4 * kib);
  const health = clientOf(Health, serving, { protocol: 'grpc', http: '2' });
  const { status } = await health.check({});
  assert.equal(status, HealthCheckResponse_ServingStatus.SERVING);
});

it('strangers of one address leave room for those whose credential takes time to check', async (t) => {
  const scopes = new Set(['echo.call']);
  const slow: Way = {
    async identify() {
      await turn();
      return { kind: 'token', name: 'tom', id: 'token:tom', scopes };
    },
  };
  const serving = await serveBy(t, slow, { maxHeldBytes: 2048 * kib });
  using _large = await fill(serving, '127.0.0.2', 80, 'x'.repeat(8 * kib));
  using _small = await fill(serving, '127.0.0.2', 400, '');
  const echo = echoOf(serving, { protocol: 'grpc', http: '2' });
  assert.equal((await echo.unary({}, { headers: bearer('slow') })).text, 'token:tom');
});
