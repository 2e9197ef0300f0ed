// A server shows its connections: those that are open, by version of HTTP, and those that it refuses, by reason;
// streams, GOAWAYs and resets in both directions; what calls hold; and that it drains.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code, createClient } from '@connectrpc/connect';
import { Metrics } from '../../../functions/rpc/index.ts';
import { Health } from '../../../functions/rpc/standard/gen/health/v1/health_pb.js';
import { createAuthority } from '../../support/certificates.ts';
import { frame } from '../../support/frames.ts';
import { all, endsWith } from '../../support/outcome.ts';
import { eventually } from '../../support/patience.ts';
import { closeBefore, type Serving, type ServingOptions } from '../../support/server.ts';
import { transportOf } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { echoService } from '../echo-service.ts';
import { EchoRequestSchema } from '../gen/echo_pb.js';
import { figureOf } from './readings.ts';

const grpc = { protocol: 'grpc', http: '2' } as const;
const connect1 = { protocol: 'connect', http: '1.1' } as const;

async function watch(t: TestContext, options: Partial<ServingOptions> = {}) {
  const metrics = new Metrics();
  const serving = await serve(t, echoService(new Map()), { ...options, telemetry: { metrics } });
  /** Waits until a figure is so: the other side of a connection hears of things in its own time. */
  const reaches = async (wanted: number, name: string, labels = {}) => {
    const isThere = await eventually(() => figureOf(metrics, name, labels) === wanted);
    assert.ok(isThere, `${name} is ${figureOf(metrics, name, labels)}, not ${wanted}`);
  };
  return { metrics, serving, reaches };
}

/** Opens a connection, says something, and waits for its end. */
async function say(serving: Serving, bytes: string): Promise<void> {
  const socket = open(serving);
  socket.write(bytes);
  await once(socket.on('error', () => {}).resume(), 'close');
}

function open({ port }: Serving): Socket {
  return net.connect(port, '127.0.0.1').on('error', () => {});
}

describe('the metrics of a server', () => {
  it('tell connections that are open, by version, and all that were accepted', async (t) => {
    const { reaches, serving } = await watch(t);
    await echoOf(serving, grpc).unary({});
    await echoOf(serving, connect1).unary({});
    await reaches(1, 'server.connections', { 'network.protocol.version': '2' });
    await reaches(1, 'server.connections', { 'network.protocol.version': '1.1' });
    await reaches(1, 'server.clients');
    serving.cut();
    await reaches(0, 'server.connections');
    await reaches(2, 'server.connections.accepted');
    await reaches(0, 'server.connections.refused');
    await reaches(0, 'server.resets');
  });

  it('tell why connections were refused', async (t) => {
    const { reaches, serving } = await watch(t, {
      limits: { maxConnections: 3, maxConnectionsPerClient: 2, handshakeTimeoutMs: 100 },
    });
    const refused = (count: number, reason: string) =>
      reaches(count, 'server.connections.refused', { reason });
    await say(serving, 'hello\r\n\r\n');
    await refused(1, 'bad_http1');
    await say(serving, 'CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n');
    await refused(1, 'connect');
    await say(serving, '');
    await say(serving, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await refused(2, 'handshake_timeout');
    const sockets = [open(serving), open(serving)];
    await Promise.all(sockets.map((it) => once(it, 'connect')));
    await say(serving, '');
    await refused(1, 'too_many_of_client');
    for (const socket of sockets) socket.destroy();
  });

  it('tell when there are as many connections as may be, and handshakes of TLS that fail', async (t) => {
    const { issue } = await createAuthority();
    const { reaches, serving } = await watch(t, {
      tls: await issue({ ip: ['127.0.0.1'] }),
      limits: { maxConnections: 1 },
    });
    await say(serving, 'GET / HTTP/1.1\r\n\r\n');
    await reaches(1, 'server.connections.refused', { reason: 'tls' });
    await reaches(0, 'server.clients');
    const socket = open(serving);
    await once(socket, 'connect');
    await say(serving, '');
    await reaches(1, 'server.connections.refused', { reason: 'too_many' });
    socket.destroy();
  });

  it('tell streams that are open, and resets that were received, but not those of a connection that is lost', async (t) => {
    const { reaches, serving } = await watch(t);
    const echo = echoOf(serving, grpc);
    const abort = new AbortController();
    const hanging = echo.unary({ hang: true }, { signal: abort.signal });
    const other = echo.unary({ hang: true });
    await reaches(2, 'server.streams');
    await reaches(2, 'rpc.server.active_calls');
    abort.abort();
    await endsWith(Code.Canceled, hanging);
    await reaches(1, 'server.streams');
    await reaches(1, 'server.resets', { direction: 'received' });
    serving.cut();
    await assert.rejects(other);
    await reaches(0, 'server.streams');
    await reaches(1, 'server.resets', { direction: 'received' });
    await reaches(0, 'server.resets', { direction: 'sent' });
  });

  it('tell resets that were sent', async (t) => {
    const { reaches, serving } = await watch(t);
    const session = http2.connect(serving.url);
    closeBefore(serving, () => session.destroy());
    // It is answered before it has ended.
    const headers = { ':method': 'POST', ':path': '/nowhere', 'content-type': 'application/grpc' };
    const stream = session.request(headers, { endStream: false });
    await once(stream.resume(), 'close');
    await reaches(1, 'server.resets', { direction: 'sent' });
    await reaches(0, 'server.resets', { direction: 'received' });
  });

  it('tell the reset of a response that nobody reads', async (t) => {
    const { reaches, serving } = await watch(t, { limits: { stallTimeoutMs: 50 } });
    const session = http2.connect(serving.url);
    closeBefore(serving, () => session.destroy());
    const headers = { ':method': 'POST', 'content-type': 'application/grpc' };
    const stream = session.request({ ...headers, ':path': '/test.echo.v1.Echo/ServerStream' });
    const request = create(EchoRequestSchema, { count: 1_000, pad: 10_000 });
    stream.on('error', () => {}).end(frame(toBinary(EchoRequestSchema, request)));
    await reaches(1, 'server.streams');
    await reaches(1, 'server.resets', { direction: 'sent' });
    await reaches(0, 'server.streams');
    await reaches(0, 'server.resets', { direction: 'received' });
  });

  it('tell watches, the memory of calls, and the drain with its GOAWAYs', async (t) => {
    const { metrics, reaches, serving } = await watch(t);
    const health = createClient(Health, transportOf(serving, grpc));
    const statuses = health.watch({})[Symbol.asyncIterator]();
    await statuses.next();
    await reaches(1, 'server.watches');
    assert.ok(figureOf(metrics, 'server.memory.held') > 0);
    await reaches(0, 'server.draining');
    const drained = serving.server.drain();
    await reaches(1, 'server.draining');
    await endsWith(Code.Unavailable, all({ [Symbol.asyncIterator]: () => statuses }));
    await reaches(1, 'server.goaways');
    await drained;
    await reaches(0, 'server.watches');
    await reaches(0, 'server.memory.held');
  });
});
