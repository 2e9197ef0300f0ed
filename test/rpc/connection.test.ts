// Proves that what a client can make a connection hold has a limit: connections and streams in parallel, the time to
// say what it wants, resets, idleness, and headers that come before the client has heard of their limit; that it may
// send as much ahead as the windows say; and that a connection has an age if that is asked for.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { beginning } from '../support/http2-bytes.ts';
import { eventually, withPatience } from '../support/patience.ts';
import { requestHttp2 } from '../support/raw-request.ts';
import { closeBefore, http2Engine, type Serving } from '../support/server.ts';
import { wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { call, framed } from './raw.ts';

describe('limits of a connection', () => {
  it('bound the streams that run in parallel', async (t) => {
    let running = 0;
    let most = 0;
    const go = Promise.withResolvers<void>();
    const serving = await serve(
      t,
      {
        async unary() {
          most = Math.max(most, ++running);
          await go.promise;
          running--;
          return {};
        },
      },
      { limits: { maxConcurrentStreams: 3 } },
    );
    const echo = echoOf(serving, { protocol: 'grpc', http: '2' });
    await echo.missing({}).catch(() => {}); // now it has heard of the limit
    const calls = Array.from({ length: 10 }, () => echo.unary({}));
    await eventually(() => running === 3);
    // Those that are begun at once would be more by now.
    await echoOf(serving, { protocol: 'connect', http: '1.1' })
      .missing({})
      .catch(() => {});
    go.resolve();
    await Promise.all(calls);
    assert.equal(most, 3);
  });

  it('bound the connections', async (t) => {
    const serving = await serve(t, {}, { limits: { maxConnections: 2 } });
    const first = await connect(serving);
    await connect(serving);
    const third = await connect(serving);
    await ended(third);
    await serving.line(({ reason }) => reason === 'there are as many connections as the server takes');
    first.destroy();
    await eventually(() => first.destroyed);
    const answers = async () =>
      (await call(serving, { protocol: 'connect', http: '1.1' }, { method: 'X' })).status;
    let status = 0;
    // The server hears of the end of the first in its own time.
    for (let tries = 0; status === 0 && tries < 100; tries++) status = await answers();
    assert.equal(status, 404);
  });

  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const beginnings: [string, Buffer | string][] = [
    ['nothing', ''],
    ['half a preface', preface.subarray(0, 12)],
    ['a preface without SETTINGS', preface],
    ['half the headers of HTTP/1.1', 'POST /healthz HTTP/1.1\r\nhost: a\r\n'],
  ];
  for (const [what, bytes] of beginnings) {
    it(`cut a client that sends ${what}`, async (t) => {
      const serving = await serve(t, {}, { limits: { handshakeTimeoutMs: 50 } });
      const socket = await connect(serving);
      socket.write(bytes);
      await ended(socket);
    });
  }

  it('cut a client that sends its HTTP/1.1 request too slowly', async (t) => {
    const serving = await serve(t, {}, { limits: { requestTimeoutMs: 100, handshakeTimeoutMs: 100 } });
    const socket = await connect(serving);
    socket.write(
      'POST /test.echo.v1.Echo/Unary HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    );
    await ended(socket);
  });

  it('cut a client that resets streams as fast as it can', async (t) => {
    let calls = 0;
    const serving = await serve(
      t,
      {
        unary() {
          calls++;
          return new Promise(() => {});
        },
      },
      { limits: { streamResetBurst: 20, streamResetsPerSecond: 1 } },
    );
    const session = http2.connect(serving.url);
    closeBefore(serving, () => session.destroy());
    session.on('error', () => {});
    const closed = new Promise((resolve) => session.once('close', () => resolve(true)));
    await once(session, 'connect');
    const body = framed({ protocol: 'grpc', http: '2' }, 'Unary');
    for (let i = 0; i < 500 && !session.destroyed; i++) {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/test.echo.v1.Echo/Unary',
        'content-type': 'application/grpc',
      });
      stream.on('error', () => {});
      stream.end(body);
      stream.close(http2.constants.NGHTTP2_CANCEL);
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(await withPatience(closed), 'the connection goes on');
    assert.ok(calls < 200, `${calls} calls were begun`);
    assert.ok(await eventually(() => serving.lines.length >= calls), 'some calls are not over');
  });

  it('close it when it is idle, on both versions of HTTP', async (t) => {
    const serving = await serve(t, { unary: () => ({}) }, { limits: { idleTimeoutMs: 50 } });
    const session = http2.connect(serving.url);
    closeBefore(serving, () => session.destroy());
    assert.ok(await withPatience(once(session, 'close')), 'HTTP/2 goes on');
    const socket = await connect(serving);
    socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n');
    await ended(socket);
  });

  it('cut a client that does not close an idle connection of HTTP/2 when it is told to', async (t) => {
    const serving = await serve(t, {}, { limits: { idleTimeoutMs: 50 } });
    const socket = net.connect({ port: serving.port, host: '127.0.0.1', allowHalfOpen: true });
    closeBefore(serving, () => socket.destroy());
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
    socket.write(beginning());
    assert.ok(await withPatience(once(socket, 'end')), 'it is not told to go');
    assert.ok(await eventually(() => serving.server.usage.clients === 0), 'it is kept');
    socket.destroy();
  });

  it('bound headers also of a call that comes before the settings are acknowledged', async (t) => {
    const serving = await serve(t, { unary: () => ({}) }, { limits: { maxHeaderBytes: 1024 } });
    const session = http2.connect(serving.url);
    closeBefore(serving, () => session.destroy());
    session.on('error', () => {});
    // At once: the client has not heard of the limit.
    const stream = session.request({ ':path': '/healthz', 'x-long': 'x'.repeat(3000) });
    const answered = once(stream, 'response').then(
      ([headers]) => headers[':status'],
      () => undefined, // node resets the stream
    );
    assert.equal(await withPatience(answered), http2Engine === 'own' ? 431 : undefined);
  });

  for (const [maxHeaderBytes, status] of [
    [64 * 1024, http2Engine === 'own' ? '8' : undefined],
    [128 * 1024, '0'],
  ] as const) {
    it(`of ${maxHeaderBytes} bytes of headers cost the call that has more, and no other`, async (t) => {
      const go = Promise.withResolvers<void>();
      const unary = async () => {
        await go.promise;
        return {};
      };
      const serving = await serve(t, { unary }, { limits: { maxHeaderBytes } });
      // By default, node's own client sends no more than 64 KiB.
      const session = http2.connect(serving.url, { maxSendHeaderBlockLength: 256 * 1024 });
      closeBefore(serving, () => session.destroy());
      session.on('error', () => {});
      await once(session, 'remoteSettings');
      const other = begin(session);
      const large = begin(session, { 'x-large': 'a'.repeat(66_000) });
      go.resolve();
      await withPatience(Promise.all([other.ended, large.ended]));
      assert.equal(large.trailers['grpc-status'] ?? large.headers['grpc-status'], status);
      assert.equal(other.trailers['grpc-status'], '0');
      assert.equal(session.destroyed, false);
    });
  }

  for (const [limits, stream, connection] of [
    [{}, 1024 * 1024, 4 * 1024 * 1024],
    [{ streamWindowBytes: 100_000, connectionWindowBytes: 300_000 }, 100_000, 300_000],
  ] as const) {
    it(`let a client send ${stream} bytes ahead on a stream, and ${connection} on a connection`, async (t) => {
      const serving = await serve(t, {}, { limits });
      const session = http2.connect(serving.url);
      closeBefore(serving, () => session.destroy());
      await once(session, 'remoteSettings');
      assert.equal(session.remoteSettings.initialWindowSize, stream);
      assert.ok(await eventually(() => session.state.remoteWindowSize === connection));
    });
  }
});

/** Begins an empty call of gRPC. */
function begin(session: http2.ClientHttp2Session, headers: Record<string, string> = {}) {
  const exchange = requestHttp2(session, {
    path: '/test.echo.v1.Echo/Unary',
    headers: { 'content-type': 'application/grpc', te: 'trailers', ...headers },
  });
  exchange.read();
  exchange.request.end(Buffer.alloc(5));
  return exchange;
}

/** Opens a socket that is closed at the end of the test. */
async function connect(serving: Serving): Promise<Socket> {
  const socket = net.connect(serving.port, '127.0.0.1');
  closeBefore(serving, () => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Waits until the server has closed the socket. */
async function ended(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) assert.ok(await withPatience(once(socket, 'close')), 'the server keeps the connection');
}

describe('a connection that is too old', () => {
  it('gets GOAWAY over HTTP/2, and its calls finish', async (t) => {
    const go = Promise.withResolvers<void>();
    const unary = async ({ text }: { text: string }) => {
      await go.promise;
      return { text };
    };
    const serving = await serve(t, { unary }, { limits: { maxConnectionAgeMs: 100 } });
    const session = http2.connect(serving.url);
    const [wire] = wires;
    assert.ok(wire);
    const headers = {
      ':method': 'POST',
      ':path': '/test.echo.v1.Echo/Unary',
      'content-type': 'application/grpc',
    };
    const stream = session.request(headers);
    stream.end(framed(wire, 'Unary'));
    const [code, lastStreamId] = await once(session, 'goaway');
    assert.deepEqual([code, lastStreamId], [http2.constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1]);
    go.resolve();
    const [trailers] = await once(stream.resume(), 'trailers');
    assert.equal(trailers['grpc-status'], '0');
    await once(session, 'close');
  });

  it('is cut when its calls take longer than the grace', async (t) => {
    const limits = { maxConnectionAgeMs: 50, connectionAgeGraceMs: 50 };
    const serving = await serve(t, { unary: () => new Promise<never>(() => {}) }, { limits });
    const session = http2.connect(serving.url);
    session.on('error', () => {});
    closeBefore(serving, () => session.destroy());
    assert.ok(await withPatience(begin(session).closed.then(() => true)), 'the call goes on');
    assert.equal((await serving.line(({ code }) => code !== undefined)).code, 'CANCELLED');
  });

  for (const [chance, ageMs] of [
    [0, 900_000],
    [0.5, 1_000_000],
    [0.999, 1_099_800],
  ] as const) {
    it(`is so ${ageMs} ms old by chance, so that not all clients come anew at once`, async (t) => {
      const serving = await serve(t, {}, { limits: { maxConnectionAgeMs: 1_000_000 } });
      t.mock.method(Math, 'random', () => chance);
      const timers = t.mock.method(globalThis, 'setTimeout');
      const session = http2.connect(serving.url);
      closeBefore(serving, () => session.destroy());
      await once(session, 'remoteSettings');
      assert.ok(timers.mock.calls.some(({ arguments: [, ms] }) => ms === ageMs));
    });
  }

  it('is closed after its next response over HTTP/1.1', async (t) => {
    const limits = { maxConnectionAgeMs: 20 };
    const serving = await serve(t, { unary: ({ text }) => ({ text }) }, { limits });
    const client = echoOf(serving, { protocol: 'connect', http: '1.1' });
    const peers = new Set<unknown>();
    for (let calls = 1; peers.size < 3 && calls < 10_000; calls++) {
      assert.equal((await client.unary({ text: 'a' })).text, 'a');
      await serving.line(() => serving.lines.length === calls);
      peers.add(serving.lines.at(-1)?.peer);
    }
    assert.equal(peers.size, 3);
  });
});
