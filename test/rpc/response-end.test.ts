// Proves that nothing a client leaves open keeps a stream or a connection: requests that have no end, responses that
// nobody reads, of calls and of everything else, and HTTP/1.1 requests that are half there when the server drains. And
// that a client that reads late still gets the status of a call that was done in time.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { describe, it } from 'node:test';
import { eventually, withPatience } from '../support/patience.ts';
import { closeBefore, type Serving } from '../support/server.ts';
import { serve } from './echo.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = http2.constants;

async function connect(serving: Serving, settings: http2.Settings = {}): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(serving.url, { settings });
  session.on('error', () => {});
  closeBefore(serving, () => session.destroy());
  await once(session, 'remoteSettings');
  return session;
}

const echo = '/test.echo.v1.Echo';
const others: [name: string, headers: http2.OutgoingHttpHeaders][] = [
  ['nothing there', { ':method': 'POST', ':path': '/nope' }],
  ['/healthz', { ':method': 'POST', ':path': '/healthz' }],
  [
    'an unknown method of Connect',
    { ':method': 'POST', ':path': `${echo}/No`, 'content-type': 'application/json' },
  ],
  [
    'an unknown method of gRPC-Web',
    { ':method': 'POST', ':path': `${echo}/No`, 'content-type': 'application/grpc-web' },
  ],
  [
    'a malformed deadline of Connect',
    {
      ':method': 'POST',
      ':path': `${echo}/Unary`,
      'content-type': 'application/proto',
      'connect-timeout-ms': 'x',
    },
  ],
  [
    'a malformed deadline of gRPC-Web',
    {
      ':method': 'POST',
      ':path': `${echo}/Unary`,
      'content-type': 'application/grpc-web',
      'grpc-timeout': 'x',
    },
  ],
];

describe('a request without an end', () => {
  for (const [name, headers] of others) {
    it(`is over once it is answered: ${name}`, async (t) => {
      const serving = await serve(t, { unary: () => ({}) }, { limits: { flushTimeoutMs: 50 } });
      const stream = (await connect(serving)).request(headers, { endStream: false });
      stream.on('error', () => {}).resume();
      assert.ok(await withPatience(once(stream, 'close')), 'the stream stays open');
      assert.equal(stream.rstCode, NGHTTP2_NO_ERROR);
    });
  }

  for (const type of ['application/grpc', 'application/grpc-web', 'application/connect+proto']) {
    it(`is no watch yet: ${type}`, async (t) => {
      const serving = await serve(t, {}, { limits: { requestTimeoutMs: 50, handshakeTimeoutMs: 50 } });
      const headers = { ':method': 'POST', ':path': '/grpc.health.v1.Health/Watch', 'content-type': type };
      const stream = (await connect(serving)).request(headers, { endStream: false });
      stream.on('error', () => {}).resume();
      assert.ok(await withPatience(once(stream, 'close')), 'the stream stays open');
      await serving.line(({ code }) => code === 'DEADLINE_EXCEEDED');
    });
  }
});

describe('a response that nobody reads', () => {
  for (const [name, headers] of others) {
    it(`is cut off in the end: ${name}`, async (t) => {
      const limits = { defaultDeadlineMs: 50, maxDeadlineMs: 50, flushTimeoutMs: 50 };
      const serving = await serve(t, { unary: () => ({}) }, { limits });
      const stream = (await connect(serving, { initialWindowSize: 0 })).request(headers);
      stream.on('error', () => {});
      assert.ok(await withPatience(once(stream, 'close')), 'the stream stays open');
    });
  }

  for (const type of ['application/grpc', 'application/grpc-web']) {
    it(`keeps its status for a while after the deadline: ${type}`, async (t) => {
      const deadlineMs = 40;
      const serving = await serve(t, { unary: () => ({}) }, { limits: { defaultDeadlineMs: deadlineMs } });
      const session = await connect(serving, { initialWindowSize: 0 });
      const headers = { ':method': 'POST', ':path': `${echo}/Unary`, 'content-type': type };
      const stream = session.request(headers, { endStream: false });
      stream.on('error', () => {});
      let trailers: http2.IncomingHttpHeaders = {};
      let body = '';
      stream.on('trailers', (it) => {
        trailers = it;
      });
      stream.on('data', (chunk) => {
        body += chunk;
      });
      stream.end(Buffer.alloc(5)); // an empty message
      const begunAtMs = performance.now();
      await once(stream, 'response');
      // Later than any timer of the server for this deadline.
      await eventually(() => performance.now() > begunAtMs + 4 * deadlineMs);
      session.settings({ initialWindowSize: 65_535 });
      assert.ok(await withPatience(once(stream, 'close')));
      assert.notEqual(stream.rstCode, NGHTTP2_CANCEL);
      assert.equal(trailers['grpc-status'] ?? /grpc-status: (\d+)/.exec(body)?.[1], '0');
    });
  }
});

describe('draining', () => {
  for (const type of ['application/grpc', 'application/grpc-web']) {
    it(`does not wait for the request of a watch: ${type}`, async (t) => {
      const serving = await serve(t, {}, { limits: { drainTimeoutMs: 600_000, flushTimeoutMs: 50 } });
      const session = await connect(serving);
      const headers = { ':method': 'POST', ':path': '/grpc.health.v1.Health/Watch', 'content-type': type };
      session
        .request(headers, { endStream: false })
        .on('error', () => {})
        .resume();
      await new Promise((resolve) => session.ping(resolve)); // the server has it
      assert.ok(await withPatience(serving.server.drain().then(() => true)), 'it waits');
    });
  }

  const answered = 'POST /nope HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc';
  const beginnings: [string, string, RegExp][] = [
    ['headers of a second request', 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /he', /SERVING/],
    ['a body that is half there, of a request that is answered', answered, /^HTTP\/1\.1 404/],
  ];
  for (const [name, bytes, answer] of beginnings) {
    it(`does not wait for ${name}`, async (t) => {
      const serving = await serve(t, {}, { limits: { drainTimeoutMs: 600_000 } });
      const socket = net.connect(serving.port, '127.0.0.1');
      socket.on('error', () => {});
      closeBefore(serving, () => socket.destroy());
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.write(bytes);
      await eventually(() => answer.test(received));
      assert.ok(await withPatience(serving.server.drain().then(() => true)), 'it waits');
    });
  }
});
