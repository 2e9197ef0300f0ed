// Proves that a call over HTTP/1.1 that is answered before its request has ended is not read to the end: the answer
// says `connection: close`, clients that are still sending see it, and the connection ends soon. A small body that is
// there costs nobody its connection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { endsWith } from '../../support/outcome.ts';
import { eventually, withPatience } from '../../support/patience.ts';
import { closeBefore, type Serving } from '../../support/server.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';

const path = '/test.echo.v1.Echo/Unary';
const head = `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`;
const endless = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
/** More than all buffers between a client and the server. */
const manyBytes = 256 * 2 ** 20;

function serveNobody(t: TestContext): Promise<Serving> {
  const gate = () => {
    throw new ConnectError('not you', Code.Unauthenticated);
  };
  return serve(t, {}, { gate, limits: { flushTimeoutMs: 500, streamWindowBytes: 64 * 1024 } });
}

async function connect(serving: Serving): Promise<{ socket: Socket; text: () => string }> {
  const socket = net
    .connect(serving.port, '127.0.0.1')
    .setNoDelay()
    .on('error', () => {});
  closeBefore(serving, () => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'connect');
  return { socket, text: () => text };
}

function* chunks(bytes: number): Iterable<Buffer> {
  for (let sent = 0; sent < bytes; sent += endless.length) yield endless;
}

describe('a refused request', () => {
  it('that does not end is not read on', async (t) => {
    const { socket, text } = await connect(await serveNobody(t));
    const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)));
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
    Readable.from(chunks(manyBytes))
      .on('error', () => {})
      .pipe(socket);
    assert.ok(await withPatience(closed), `still open after ${socket.bytesWritten} bytes`);
    assert.ok(socket.bytesWritten < manyBytes / 2, `${socket.bytesWritten} bytes were taken`);
    assert.match(text(), /^HTTP\/1\.1 401 [\s\S]*connection: close\r\n[\s\S]*not you/i);
  });

  it('whose body never comes is answered, and its connection ends', async (t) => {
    const { socket, text } = await connect(await serveNobody(t));
    const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)));
    socket.write(`${head}content-length: 10\r\n\r\n`);
    assert.ok(await withPatience(closed), 'still open');
    assert.match(text(), /^HTTP\/1\.1 401 [\s\S]*connection: close\r\n[\s\S]*not you/i);
  });

  for (const [form, body] of [
    ['with its length', 'content-length: 2\r\n\r\n{}'],
    ['in chunks', 'transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'],
  ]) {
    it(`with a small body ${form} keeps its connection, wherever the network cuts it`, async (t) => {
      const { socket, text } = await connect(await serveNobody(t));
      const request = `${head}${body}`;
      for (let at = head.length; at <= request.length; at++) {
        const before = text().length;
        socket.write(request.slice(0, at));
        await new Promise((resolve) => setImmediate(resolve));
        socket.write(request.slice(at));
        assert.ok(await eventually(() => text().slice(before).includes('not you')), text());
      }
      assert.doesNotMatch(text(), /connection: close/i);
    });
  }
});

describe('clients that are still sending see the answer:', () => {
  const body = () => Readable.from(chunks(manyBytes));

  it('fetch', async (t) => {
    const serving = await serveNobody(t);
    const answer = await fetch(`${serving.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: Readable.toWeb(body()),
      duplex: 'half',
    });
    assert.equal(answer.status, 401);
    assert.match(await answer.text(), /not you/);
  });

  it('node:http', async (t) => {
    const serving = await serveNobody(t);
    const headers = { 'content-type': 'application/json' };
    const request = http.request(`${serving.url}${path}`, { method: 'POST', headers, agent: false });
    closeBefore(serving, () => request.destroy());
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    request.on('response', resolve).on('error', reject);
    body()
      .on('error', () => {})
      .pipe(request);
    const answer = await promise;
    assert.equal(answer.statusCode, 401);
    let text = '';
    for await (const chunk of answer) text += chunk;
    assert.match(text, /not you/);
  });

  for (const wire of wires.filter((it) => it.http === '1.1')) {
    it(nameOf(wire), async (t) => {
      const echo = echoOf(await serveNobody(t), wire);
      const error = await endsWith(Code.Unauthenticated, echo.unary({ text: 'x'.repeat(16 * 2 ** 20) }));
      assert.equal(error.rawMessage, 'not you');
    });
  }
});
