// Proves the port itself: HTTP/1.1 and HTTP/2 on one, in plain text and with TLS, with and without ALPN, mutual TLS
// taken and refused; an address that can't be had; and hostile bytes of any form, after which it still answers.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import tls from 'node:tls';
import fc from 'fast-check';
import { RpcServer } from '../../functions/rpc/server.ts';
import { createAuthority } from '../support/certificates.ts';
import { withPatience } from '../support/patience.ts';
import { closeBefore, type Serving } from '../support/server.ts';
import { nameOf, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';
import { call, contentType, framed } from './raw.ts';

const unary = { unary: ({ text }: { text: string }) => ({ text }) };

describe('TLS', async () => {
  const authority = await createAuthority();
  const server = await authority.issue({ ip: ['127.0.0.1'] });
  const client = await authority.issue({ dns: ['client'] });
  const stranger = await (await createAuthority()).issue({ dns: ['client'] });
  const trust = { ca: authority.ca };

  for (const wire of wires) {
    it(`carries ${nameOf(wire)}`, async (t) => {
      const serving = await serve(t, unary, { tls: server });
      assert.equal((await echoOf(serving, wire, { tls: trust }).unary({ text: 'a' })).text, 'a');
    });

    it(`asks clients of ${nameOf(wire)} for a certificate when it is mutual`, async (t) => {
      const serving = await serve(t, unary, { tls: { ...server, clientCa: authority.ca } });
      const known = echoOf(serving, wire, { tls: { ...trust, ...client } });
      assert.equal((await known.unary({ text: 'a' })).text, 'a');
      await assert.rejects(echoOf(serving, wire, { tls: trust }).unary({}));
      await assert.rejects(echoOf(serving, wire, { tls: { ...trust, ...stranger } }).unary({}));
      assert.equal((await known.unary({ text: 'b' })).text, 'b');
    });
  }

  for (const [who, options, reason] of [
    ['nobody knows', stranger, /^TLS: CERT_SIGNATURE_FAILURE$/],
    ['has no certificate', {}, /^TLS: .*PEER_DID_NOT_RETURN_A_CERTIFICATE$/],
  ] as const) {
    it(`tells the log of a client that ${who}, where it is mutual`, async (t) => {
      const serving = await serve(t, unary, { tls: { ...server, clientCa: authority.ca } });
      const socket = tls.connect({ port: serving.port, host: '127.0.0.1', ...trust, ...options });
      closeBefore(serving, () => socket.destroy());
      socket.on('error', () => {}).resume();
      const line = await serving.line(({ message }) => message === 'a connection was refused');
      assert.deepEqual([line.level, line.peer], ['warn', '127.0.0.1']);
      assert.match(String(line.reason), reason);
    });
  }

  it('without ALPN is HTTP/1.1', async (t) => {
    const serving = await serve(t, unary, { tls: server });
    const socket = tls.connect({ port: serving.port, host: '127.0.0.1', ...trust });
    closeBefore(serving, () => socket.destroy());
    await once(socket, 'secureConnect');
    socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 200 OK/);
  });

  it('survives clients that do not speak it, or break off', async (t) => {
    const serving = await serve(t, unary, { tls: server, limits: { handshakeTimeoutMs: 100 } });
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01', '']) {
      await send(serving, Buffer.from(bytes, 'latin1'), bytes !== '');
    }
    // The log says who could not be understood, and why.
    const { peer } = await serving.line(({ reason }) => reason === 'TLS: ERR_SSL_HTTP_REQUEST');
    assert.equal(peer, '127.0.0.1');
    const [wire] = wires;
    assert.ok(wire);
    assert.equal((await echoOf(serving, wire, { tls: trust }).unary({ text: 'a' })).text, 'a');
  });
});

it('takes a renewed certificate for new connections, and loses no call', async (t) => {
  const authority = await createAuthority();
  const issue = () => authority.issue({ ip: ['127.0.0.1'] });
  const [first, second] = await Promise.all([issue(), issue()]);
  const serving = await serve(t, unary, { tls: first });
  const [wire] = wires;
  assert.ok(wire);
  const before = echoOf(serving, wire, { tls: { ca: authority.ca } });
  assert.equal((await before.unary({ text: 'a' })).text, 'a');
  const shown = async () => {
    const socket = tls.connect({ port: serving.port, host: '127.0.0.1', ca: authority.ca });
    closeBefore(serving, () => socket.destroy());
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate()?.fingerprint256;
  };
  assert.equal(await shown(), new X509Certificate(first.cert).fingerprint256);
  serving.server.renewTls(second);
  assert.equal(await shown(), new X509Certificate(second.cert).fingerprint256);
  assert.equal((await before.unary({ text: 'b' })).text, 'b');
  assert.throws(() => serving.server.renewTls({ ...second, key: 'no key' }));
  assert.equal(await shown(), new X509Certificate(second.cert).fingerprint256);
});

describe('listen', () => {
  it('rejects for a port in use, and can be tried again', async (t) => {
    const first = await serve(t, unary);
    const taken = { host: '127.0.0.1', port: first.port };
    await assert.rejects(first.server.listen(taken), { code: 'ERR_SERVER_ALREADY_LISTEN' });
    const second = unlistened(t);
    await assert.rejects(second.listen(taken), { code: 'EADDRINUSE' });
    const { port } = await second.listen({ host: '127.0.0.1', port: 0 });
    assert.ok(port > 0);
    await second.close();
  });

  it('rejects for an address of another machine', async (t) => {
    const server = unlistened(t);
    await assert.rejects(server.listen({ host: '192.0.2.1', port: 0 }), { code: 'EADDRNOTAVAIL' });
  });
});

describe('hostile bytes', () => {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const settings = Buffer.from('000000040000000000', 'hex');
  const anything = fc.uint8Array({ maxLength: 400 }).map((it) => Buffer.from(it));
  const http2Frame = fc
    .tuple(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 9 }),
      anything,
    )
    .map(([type, flags, stream, payload]) => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(payload.length, 0, 3);
      head.writeUInt8(type, 3);
      head.writeUInt8(flags, 4);
      head.writeUInt32BE(stream, 5);
      return Buffer.concat([head, payload]);
    });
  const requests = wires
    .filter((it) => it.http === '1.1')
    .map(
      (it) =>
        `POST /test.echo.v1.Echo/Unary HTTP/1.1\r\nhost: a\r\ncontent-type: ${contentType(it, 'Unary')}\r\n`,
    );
  const forms = {
    'of any kind': anything,
    'after the preface of HTTP/2': anything.map((it) => Buffer.concat([preface, it])),
    'in frames of HTTP/2': fc
      .array(http2Frame, { maxLength: 8 })
      .map((frames) => Buffer.concat([preface, settings, ...frames])),
    'after the head of a call': fc
      .tuple(fc.constantFrom(...requests), anything)
      .map(([head, it]) => Buffer.concat([Buffer.from(`${head}content-length: ${it.length}\r\n\r\n`), it])),
    'in the headers of a call': fc
      .tuple(fc.constantFrom(...requests), anything)
      .map(([head, it]) => Buffer.concat([Buffer.from(head), it, Buffer.from('\r\n\r\n')])),
  };
  for (const [form, bytes] of Object.entries(forms)) {
    it(`${form} do no harm`, async (t) => {
      const serving = await serve(t, unary, { limits: { handshakeTimeoutMs: 200 } });
      await fc.assert(
        fc.asyncProperty(bytes, async (it) => {
          await send(serving, it, true);
        }),
        { numRuns: 40 },
      );
      for (const wire of wires) assert.equal((await echoOf(serving, wire).unary({ text: 'a' })).text, 'a');
    });
  }

  it('as the messages of calls do no harm', async (t) => {
    const serving = await serve(t, unary);
    for (const wire of wires) {
      await fc.assert(
        fc.asyncProperty(anything, fc.boolean(), async (it, isFramed) => {
          const body = isFramed ? framed(wire, 'Unary', it) : it;
          const { status } = await call(serving, wire, { body });
          assert.ok(status >= 200, 'no answer');
          serving.cut();
        }),
        { numRuns: 20 },
      );
      assert.equal((await echoOf(serving, wire).unary({ text: 'a' })).text, 'a');
    }
  });
});

/** Sends bytes and, to go on, the end; waits until the connection is closed. */
async function send(serving: Serving, bytes: Buffer, isEnding: boolean): Promise<void> {
  const socket = net.connect(serving.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  const closed = new Promise((resolve) => socket.once('close', () => resolve(true)));
  isEnding ? socket.end(bytes) : socket.write(bytes);
  assert.ok(await withPatience(closed), `still open after ${bytes.toString('latin1')}`);
}

/** A server that does not listen yet. */
function unlistened(t: TestContext) {
  const server = new RpcServer({ routes: () => {} });
  t.after(() => server.close());
  return server;
}
