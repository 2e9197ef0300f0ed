// Proves that a response of which a client reads nothing is reset long before its deadline, in every protocol, whether
// its status is decided or not, and whether it is the stream or the whole connection that is not read; that its memory
// is given back then; and that a client which reads slowly, but reads, is not cut off.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { describe, it } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, type ServiceImpl } from '@connectrpc/connect';
import type { HttpResource } from '../../../functions/rpc/http/http-resource.ts';
import type { RpcLimits } from '../../../functions/rpc/limits.ts';
import { frame, framed, framesOf } from '../../support/frames.ts';
import { beginning, callHeaders, http2Frame } from '../../support/http2-bytes.ts';
import { eventually, withPatience } from '../../support/patience.ts';
import { type RawExchange, requestHttp1, requestHttp2 } from '../../support/raw-request.ts';
import { closeBefore, type Serving } from '../../support/server.ts';
import { nameOf, timeoutHeader, type Wire, wires } from '../../support/transports.ts';
import { serve } from '../echo.ts';
import { Echo, EchoRequestSchema, EchoResponseSchema } from '../gen/echo_pb.js';
import { MemoryExchange, type Served, serveInMemory } from '../memory-exchange.ts';
import { contentType } from '../raw.ts';

/** More than sockets and windows hold, so that most of it waits. */
const pad = new Uint8Array(16 * 1024 * 1024);
const much = 2 ** 30;
const limits = {
  stallTimeoutMs: 100,
  maxMessageBytes: much,
  maxHeldBytes: much,
  maxHeldBytesPerClient: much,
  maxHeldBytesPerConnection: much,
};
/** Of the calls: far more than a test takes. */
const deadlineMs = 300_000;

const endless: HttpResource = {
  paths: ['/endless'],
  methods: ['GET'],
  headers: ['content-type', 'text/plain'],
  askedMs: () => deadlineMs,
  async answer({ signal }, response) {
    while (!signal.aborted) await response.send('x'.repeat(10_000));
  },
  errorText: ({ rawMessage }) => rawMessage,
};

describe('a client that reads nothing', () => {
  for (const wire of wires) {
    it(`is reset while a stream has more for it: ${nameOf(wire)}`, async (t) => {
      let ended = 0;
      const serving = await serve(
        t,
        {
          async *serverStream() {
            try {
              for (;;) yield { pad: new Uint8Array(10_000) };
            } finally {
              ended += 1;
            }
          },
        },
        { limits },
      );
      const exchange = await beginUnread(serving, wire, 'ServerStream');
      await assertReset(serving, exchange);
      assert.ok(await eventually(() => ended === 1), 'the method goes on');
    });

    it(`is reset though its status is decided: ${nameOf(wire)}`, async (t) => {
      const serving = await serve(t, { unary: () => ({ pad: pad.subarray(0, 100_000) }) }, { limits });
      const exchange = await beginUnread(serving, wire, 'Unary');
      const { code } = await serving.line(({ message }) => message === 'call');
      // Over HTTP/1.1 the sockets take all of it: it has been sent.
      if (wire.http === '1.1') return;
      assert.equal(code, 'OK');
      assert.ok(serving.server.usage.heldBytes >= 100_000);
      assert.ok(await eventually(() => serving.server.usage.heldBytes === 0), 'its memory is still held');
      await exchange.closed;
      assert.equal(exchange.resetCode, http2.constants.NGHTTP2_CANCEL);
    });

    it(`is reset while a large message is sent: ${nameOf(wire)}`, async (t) => {
      const serving = await serve(t, { unary: () => ({ pad }) }, { limits });
      const exchange = await beginUnread(serving, wire, 'Unary');
      await assertReset(serving, exchange);
    });
  }

  for (const version of ['1.1', '2']) {
    it(`is reset by plain HTTP/${version}`, async (t) => {
      const serving = await serve(t, {}, { limits, http: () => [endless] });
      const head = { method: 'GET', path: '/endless' };
      const exchange =
        version === '2' ? requestHttp2(await narrow(serving), head) : requestHttp1(serving.url, head);
      closeBefore(serving, () => exchange.cancel());
      exchange.request.end();
      await assertReset(serving, exchange);
    });
  }

  for (const method of ['ServerStream', 'Unary']) {
    it(`of its whole connection has that cut, over HTTP/2: ${method}`, async (t) => {
      const serving = await serve(
        t,
        {
          unary: () => ({ pad }),
          async *serverStream() {
            for (;;) yield { pad: new Uint8Array(10_000) };
          },
        },
        { limits },
      );
      const socket = await beginBlocked(serving, method);
      assert.ok(await eventually(() => serving.server.usage.heldBytes > 0));
      assert.ok(await eventually(() => serving.server.usage.clients === 0), 'the connection is still there');
      assert.equal(serving.server.usage.heldBytes, 0);
      socket.destroy();
    });
  }
});

describe('a client that reads slowly', () => {
  const everyMs = 40;
  const patience = { ...limits, stallTimeoutMs: 5 * everyMs };

  /** Calls a method, and reads one portion of the answer after another, each in time, until it has ended. */
  async function readSlowly(
    echo: Partial<ServiceImpl<typeof Echo>>,
    type: string,
    method: string,
    more: Partial<RpcLimits> = {},
  ): Promise<{ served: Served; exchange: MemoryExchange; mostWaiting: number }> {
    const served = serveInMemory((router) => router.service(Echo, echo), {
      limits: { ...patience, ...more },
    });
    const headers = { 'content-type': type, 'grpc-timeout': '300S', 'connect-timeout-ms': '300000' };
    const exchange = new MemoryExchange(served.connect(), `/test.echo.v1.Echo/${method}`, headers);
    exchange.isFull = true;
    served.router.accept(exchange);
    const request = toBinary(EchoRequestSchema, create(EchoRequestSchema));
    exchange.receiver?.received(type === 'application/proto' ? Buffer.from(request) : frame(request));
    exchange.receiver?.receivedAll();
    let mostWaiting = 0;
    // Both timers are of one process: this one is always due before that of the stall.
    for (let seen = 0; !exchange.isEnded && !exchange.isCut; ) {
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      const waiting = exchange.sent.slice(seen).reduce((bytes, it) => bytes + it.length, 0);
      mostWaiting = Math.max(mostWaiting, waiting);
      seen = exchange.sent.length;
      exchange.receiver?.drained();
    }
    return { served, exchange, mostWaiting };
  }

  it('gets all of a stream', async () => {
    const { served, exchange } = await readSlowly(
      {
        async *serverStream() {
          for (let index = 0; index < 10; index++) yield { index, pad: new Uint8Array(70_000) };
        },
      },
      'application/grpc',
      'ServerStream',
    );
    assert.deepEqual(served.ended, [{ code: 0, error: undefined }]);
    const messages = framesOf(Buffer.concat(exchange.sent)).map(({ payload }) =>
      fromBinary(EchoResponseSchema, payload),
    );
    assert.deepEqual(
      messages.map(({ index }) => index),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    exchange.cut();
    assert.equal(served.policy.memory.heldBytes, 0);
  });

  const bytes = 700_000;
  const answer = () => ({ pad: new Uint8Array(bytes).fill(7) });
  for (const [type, method] of [
    ['application/grpc', 'Unary'],
    ['application/grpc-web+proto', 'Unary'],
    ['application/proto', 'Unary'],
    ['application/grpc', 'ServerStream'],
    ['application/connect+proto', 'ServerStream'],
  ] as const) {
    it(`gets all of a large message, a portion at a time: ${method} of ${type}`, async () => {
      const echo = {
        unary: answer,
        async *serverStream() {
          yield answer();
        },
      };
      const { served, exchange, mostWaiting } = await readSlowly(echo, type, method);
      assert.deepEqual(served.ended, [{ code: 0, error: undefined }]);
      assert.ok(mostWaiting <= 2 * 64 * 1024, `${mostWaiting} bytes waited at once`);
      const body = Buffer.concat(exchange.sent);
      const payload = type === 'application/proto' ? body : (framesOf(body)[0]?.payload ?? assert.fail());
      const { pad: received } = fromBinary(EchoResponseSchema, payload);
      assert.ok(received.length === bytes && received.every((it) => it === 7));
      if (type === 'application/proto')
        assert.match(exchange.head, new RegExp(`content-length ${body.length}`));
      exchange.cut();
      assert.equal(served.policy.memory.heldBytes, 0);
    });
  }

  it('gets the whole message before it hears that the time is up', async () => {
    for (const type of ['application/grpc', 'application/grpc-web+proto', 'application/connect+proto']) {
      const method = type.includes('connect') ? 'ServerStream' : 'Unary';
      const echo = {
        unary: answer,
        async *serverStream() {
          yield answer();
          await new Promise(() => {});
        },
      };
      const { served, exchange } = await readSlowly(echo, type, method, { maxDeadlineMs: 3 * everyMs });
      assert.deepEqual(
        served.ended.map(({ code }) => code),
        [Code.DeadlineExceeded],
      );
      const [message, end] = framesOf(Buffer.concat(exchange.sent));
      assert.equal(fromBinary(EchoResponseSchema, message?.payload ?? assert.fail()).pad.length, bytes);
      const status = type === 'application/grpc' ? exchange.head : String(end?.payload);
      assert.match(status, /"grpc-status":"4"|grpc-status: 4|deadline_exceeded/, type);
      exchange.cut();
    }
  });

  it('of a message whose length it knows is cut off when the time is up: nothing else could be said', async () => {
    const { served, exchange } = await readSlowly({ unary: answer }, 'application/proto', 'Unary', {
      maxDeadlineMs: 3 * everyMs,
    });
    assert.ok(exchange.isCut);
    assert.equal(served.ended.length, 1);
    assert.equal(served.policy.memory.heldBytes, 0);
  });
});

/** The call is told of as the client's fault, nothing of it is held, and where it can be, it is reset. */
async function assertReset(serving: Serving, exchange: RawExchange): Promise<void> {
  const { code, error } = await serving.line(({ message }) => message === 'call');
  assert.equal(code, 'CANCELLED');
  assert.match(String(error), /has stopped to read/);
  assert.ok(await eventually(() => serving.server.usage.heldBytes === 0), 'its memory is still held');
  if (!('rstCode' in exchange.request)) return; // of HTTP/1.1 only who reads hears
  assert.ok(await withPatience(exchange.closed.then(() => true)), 'the stream goes on');
  assert.equal(exchange.resetCode, http2.constants.NGHTTP2_CANCEL);
}

/** Calls a method of Echo, with a deadline of minutes, and reads nothing of the answer. */
async function beginUnread(serving: Serving, wire: Wire, method: string): Promise<RawExchange> {
  const { headers } = timeoutHeader(wire, deadlineMs);
  const head = {
    path: `/test.echo.v1.Echo/${method}`,
    headers: { 'content-type': contentType(wire, method), ...headers },
  };
  const exchange =
    wire.http === '2' ? requestHttp2(await narrow(serving), head) : requestHttp1(serving.url, head);
  closeBefore(serving, () => exchange.cancel());
  exchange.request.end(framed(wire, method === 'Unary', Buffer.alloc(0)));
  return exchange;
}

/** A session that takes few bytes of an answer unread. */
async function narrow(serving: Serving): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(serving.url, { settings: { initialWindowSize: 1024 } });
  closeBefore(serving, () => session.destroy());
  session.on('error', () => {});
  await withPatience(once(session, 'remoteSettings'));
  return session;
}

/** A client of HTTP/2 that gives all room that there is, and never reads its socket. */
async function beginBlocked(serving: Serving, method: string): Promise<net.Socket> {
  const socket = net.connect(serving.port, '127.0.0.1');
  closeBefore(serving, () => socket.destroy());
  socket.on('error', () => {}).pause();
  await once(socket, 'connect');
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(4); // SETTINGS_INITIAL_WINDOW_SIZE
  settings.writeUInt32BE(2 ** 31 - 1, 2);
  const update = Buffer.alloc(4);
  update.writeUInt32BE(2 ** 31 - 1 - 65_535);
  const headers = callHeaders(`/test.echo.v1.Echo/${method}`, { 'grpc-timeout': '300S' });
  socket.write(
    Buffer.concat([
      beginning(settings),
      http2Frame(8, 0, 0, update),
      http2Frame(1, 4, 1, headers),
      http2Frame(0, 1, 1, frame(Buffer.alloc(0))),
    ]),
  );
  return socket;
}
