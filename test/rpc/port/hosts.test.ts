// Proves that a request which names no host, or two, or what is none, gets 400 (RFC 9112 section 3.2), whatever it asks
// for, and reaches no method; and that those that name one are taken in every form that they may have.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { requestHttp2 } from '../../support/raw-request.ts';
import { closeBefore, type Serving } from '../../support/server.ts';
import { serve } from '../echo.ts';

const body = '{"text":"a"}';
const call = `POST /test.echo.v1.Echo/Unary HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`;

async function serveCounting(t: TestContext): Promise<Serving & { calls: () => number }> {
  let calls = 0;
  const serving = await serve(t, {
    unary: () => {
      calls += 1;
      return {};
    },
  });
  return { ...serving, calls: () => calls };
}

/** The status of the first answer. */
async function statusOf(serving: Serving, request: string): Promise<number> {
  const socket = net.connect(serving.port, '127.0.0.1');
  closeBefore(serving, () => socket.destroy());
  await once(socket, 'connect');
  socket.write(request);
  const [answer] = await once(socket, 'data');
  return Number(/^HTTP\/1\.1 (\d+)/.exec(String(answer))?.[1]);
}

describe('HTTP/1.1', () => {
  for (const [what, headers] of [
    ['two hosts', 'host: a\r\nhost: b\r\n'],
    ['a host twice', 'host: a\r\nHost: a\r\n'],
    ['two hosts in one header', 'host: a, b\r\n'],
    ['no host', ''],
    ['an empty host', 'host:\r\n'],
    ['a host with a path', 'host: a/b\r\n'],
    ['a host with a user', 'host: u@a\r\n'],
    ['a host with a space', 'host: a b\r\n'],
    ['a port beyond all ports', 'host: a:70000\r\n'],
  ] as const) {
    it(`gets 400 for ${what}`, async (t) => {
      const { calls, ...serving } = await serveCounting(t);
      assert.equal(await statusOf(serving, `${call}${headers}\r\n${body}`), 400);
      assert.equal(await statusOf(serving, `GET /healthz HTTP/1.1\r\n${headers}\r\n`), 400);
      assert.equal(await statusOf(serving, `GET /nowhere HTTP/1.1\r\n${headers}\r\n`), 400);
      assert.equal(calls(), 0);
    });
  }

  for (const host of ['a', 'a.example:8080', '127.0.0.1', '[::1]:80', 'A-b.c']) {
    it(`takes ${host}`, async (t) => {
      const { calls, ...serving } = await serveCounting(t);
      assert.equal(await statusOf(serving, `${call}host: ${host}\r\n\r\n${body}`), 200);
      assert.equal(calls(), 1);
    });
  }

  it('of a client of HTTP/1.0 needs none', async (t) => {
    const serving = await serve(t);
    assert.equal(await statusOf(serving, 'GET /healthz HTTP/1.0\r\n\r\n'), 200);
    assert.equal(await statusOf(serving, 'GET /healthz HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n'), 400);
  });
});

it('HTTP/2 takes one by either of its names, and nothing else', async (t) => {
  const serving = await serve(t);
  const session = http2.connect(serving.url);
  closeBefore(serving, () => session.destroy());
  for (const [headers, isTaken] of [
    [{ ':authority': 'a' }, true],
    [{ ':authority': undefined, host: 'a' }, true],
    [{ ':authority': 'u@a' }, false],
    [{ ':authority': 'a/b' }, false],
    [{ ':authority': 'a b' }, false],
  ] as const) {
    const exchange = requestHttp2(session, { method: 'GET', path: '/healthz', headers });
    exchange.request.end();
    exchange.read();
    await exchange.closed;
    // What is no host in any form, node resets itself.
    const expected = isTaken ? [200] : [400, 0];
    assert.ok(expected.includes(exchange.status), `${JSON.stringify(headers)}: ${exchange.status}`);
  }
});
