// Proves that a connection of HTTP/1.1 has one request under way, however many its client sends at once: the next ones
// wait, in their order, in a bounded part of the memory, and then in the socket; all of them are answered; and those
// that wait on a connection which ends are never begun.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import tls from 'node:tls';
import { create, type MessageInitShape, toBinary, toJsonString } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import fc from 'fast-check';
import { createAuthority } from '../../support/certificates.ts';
import { eventually, withPatience } from '../../support/patience.ts';
import { closeBefore, type Serving, type ServingOptions } from '../../support/server.ts';
import { echoOf, serve } from '../echo.ts';
import { type Echo, EchoRequestSchema } from '../gen/echo_pb.js';

const authority = await createAuthority();
const certificate = await authority.issue({ ip: ['127.0.0.1'] });

type Request = MessageInitShape<typeof EchoRequestSchema>;

/** A call of a method of Echo, as Connect with JSON. */
function post(request: Request, path = '/test.echo.v1.Echo/Unary'): string {
  const body = toJsonString(EchoRequestSchema, create(EchoRequestSchema, request));
  return `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** A client that writes what it likes. */
class Client {
  readonly socket: Socket;
  received = '';
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.received += chunk;
    });
    socket
      .on('error', () => {})
      .once('close', () => {
        this.isClosed = true;
      });
  }

  /** The texts of the answers so far, and the statuses of those that have none. */
  get answers(): string[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d+)[^\0]*?\r\n\r\n(?:\{"text":"([^"]*)")?/g)].map(
      ([, status = '', text]) => text ?? status,
    );
  }
}

async function connect(serving: Serving, isTls = false): Promise<Client> {
  const to = { port: serving.port, host: '127.0.0.1' };
  const socket = isTls
    ? tls.connect({ ...to, ca: authority.ca, ALPNProtocols: ['http/1.1'] })
    : net.connect(to);
  closeBefore(serving, () => socket.destroy());
  const client = new Client(socket);
  await once(socket, isTls ? 'secureConnect' : 'connect');
  return client;
}

/** Methods that are let go one by one, and notes of what is under way. */
class Gated {
  readonly begun: string[] = [];
  running = 0;
  most = 0;
  readonly #go: (() => void)[] = [];

  readonly unary: ServiceImpl<typeof Echo>['unary'] = async ({ text }) => {
    this.begun.push(text);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await new Promise<void>((resolve) => this.#go.push(resolve));
    this.running -= 1;
    return { text };
  };

  /** Lets the oldest go, once there is one. */
  async next(): Promise<void> {
    assert.ok(await eventually(() => this.#go.length > 0), 'none is under way');
    this.#go.shift()?.();
  }
}

function serveGated(
  t: TestContext,
  options: Partial<ServingOptions> = {},
): Promise<Serving & { gated: Gated }> {
  const gated = new Gated();
  return serve(t, { unary: gated.unary }, options).then((serving) => ({ ...serving, gated }));
}

const texts = (count: number) => Array.from({ length: count }, (_, at) => `n${at}`);

for (const isTls of [false, true]) {
  const over = isTls ? 'with TLS' : 'in plain text';
  const secure = isTls ? { tls: certificate } : {};
  describe(`requests that come at once, ${over}`, () => {
    it('are under way one at a time, in their order, and all are answered', async (t) => {
      const { gated, ...serving } = await serveGated(t, secure);
      const client = await connect(serving, isTls);
      client.socket.write(
        texts(400)
          .map((text) => post({ text }))
          .join(''),
      );
      for (let answered = 0; answered < 400; answered++) await gated.next();
      assert.ok(await eventually(() => client.answers.length === 400), `${client.answers.length} answers`);
      assert.deepEqual(client.answers, texts(400));
      assert.deepEqual(gated.begun, texts(400));
      assert.equal(gated.most, 1);
      assert.ok(await eventually(() => serving.server.usage.heldBytes === 0));
    });

    it('are answered in their order however the network cuts them', async (t) => {
      const serving = await serve(t, { unary: async ({ text }) => ({ text: text.slice(0, 8) }) }, secure);
      const length = fc.oneof(fc.nat(3_000), fc.nat(200_000));
      const request = fc.record({ text: length, isUnknown: fc.boolean() });
      const places = fc.array(fc.nat(1_000_000), { maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(
          fc.array(request, { minLength: 1, maxLength: 12 }),
          places,
          async (requests, cuts) => {
            const client = await connect(serving, isTls);
            const bytes = Buffer.from(
              requests
                .map(({ text, isUnknown }, at) => {
                  const path = isUnknown ? '/nowhere' : '/test.echo.v1.Echo/Unary';
                  return post({ text: `${at}`.padEnd(8, '_').padEnd(text, 'x') }, path);
                })
                .join(''),
            );
            const ordered = cuts.map((it) => it % bytes.length).sort((a, b) => a - b);
            for (const [index, end] of [...ordered, bytes.length].entries()) {
              client.socket.write(bytes.subarray(ordered[index - 1] ?? 0, end));
              await new Promise((resolve) => setImmediate(resolve));
            }
            const expected = requests.map(({ isUnknown }, at) =>
              isUnknown ? '404' : `${at}`.padEnd(8, '_'),
            );
            assert.ok(await eventually(() => client.answers.length === requests.length), client.received);
            assert.deepEqual(client.answers, expected);
            client.socket.destroy();
          },
        ),
        { numRuns: 30, endOnFailure: true },
      );
    });

    it('wait in the socket when they are many', async (t) => {
      const { gated, ...serving } = await serveGated(t, secure);
      const client = await connect(serving, isTls);
      client.socket.write(post({ text: 'first' }));
      assert.ok(await eventually(() => gated.running === 1));
      // 60 MB: more than the sockets of both sides hold.
      const many = Buffer.from(post({ text: 'x'.repeat(100) }).repeat(1_000));
      for (let written = 0; written < 240; written++) client.socket.write(many);
      let held = -1;
      for (let before = -2; held !== before; ) {
        before = held;
        await new Promise((resolve) => setTimeout(resolve, 50));
        held = serving.server.usage.heldBytes;
      }
      assert.ok(held < 8_000_000, `${held} bytes are held`);
      assert.ok(
        client.socket.writableLength > 1_000_000,
        `the server has read all but ${client.socket.writableLength}`,
      );
      assert.equal(gated.most, 1);
      client.socket.destroy();
      // Whose socket is not read can't be noticed to be gone before something is written.
      while (
        !(await eventually(() => gated.running > 0 || serving.server.usage.clients === 0)) ||
        gated.running > 0
      ) {
        await gated.next();
        assert.ok(await eventually(() => gated.running === 0 || gated.begun.length > 1));
      }
      assert.ok(
        gated.begun.length < 10,
        `${gated.begun.length} requests of a connection that is gone were begun`,
      );
      assert.equal(serving.server.usage.heldBytes, 0);
    });

    it('close the connection when there is no memory for them, and no other is affected', async (t) => {
      const limits = { maxHeldBytesPerConnection: 100_000, maxHeldBytesPerClient: 150_000 };
      const { gated, ...serving } = await serveGated(t, { ...secure, limits });
      const client = await connect(serving, isTls);
      client.socket.write(post({ text: 'first' }).repeat(100));
      assert.ok(await eventually(() => client.isClosed), 'the connection is open');
      assert.ok(await eventually(() => serving.server.usage.heldBytes === 0));
      assert.ok(gated.begun.length <= 1, `${gated.begun} were begun`);
      const other = await connect(serving, isTls);
      other.socket.write(post({ text: 'other' }));
      for (const _ of gated.begun) await gated.next();
      await gated.next();
      assert.ok(await eventually(() => other.answers.length === 1));
    });

    it('are not begun when the one before has been cut off', async (t) => {
      const begun: string[] = [];
      const limits = { stallTimeoutMs: 100, maxMessageBytes: 2 ** 30, maxHeldBytes: 2 ** 30 };
      const serving = await serve(
        t,
        {
          unary: async ({ text }) => {
            begun.push(text);
            return text === 'large' ? { pad: new Uint8Array(16 * 1024 * 1024) } : {};
          },
        },
        {
          ...secure,
          limits: { ...limits, maxHeldBytesPerClient: 2 ** 30, maxHeldBytesPerConnection: 2 ** 30 },
        },
      );
      const client = await connect(serving, isTls);
      client.socket.pause();
      const large = toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: 'large' }));
      const headers = `content-type: application/proto\r\ncontent-length: ${large.length}\r\nconnect-timeout-ms: 300000`;
      client.socket.write(`POST /test.echo.v1.Echo/Unary HTTP/1.1\r\nhost: a\r\n${headers}\r\n\r\n`);
      client.socket.write(large);
      client.socket.write(post({ text: 'next' }).repeat(20));
      await serving.line(({ code }) => code === 'CANCELLED');
      assert.ok(await eventually(() => serving.server.usage.clients === 0), 'the connection is still there');
      assert.deepEqual(begun, ['large']);
      assert.equal(serving.server.usage.heldBytes, 0);
    });

    it('are not begun behind an answer that says that it is the last', async (t) => {
      const { gated, ...serving } = await serveGated(t, secure);
      const client = await connect(serving, isTls);
      client.socket.write(
        texts(3)
          .map((text) => post({ text }))
          .join(''),
      );
      assert.ok(await eventually(() => gated.running === 1));
      const drained = serving.server.drain();
      await gated.next();
      assert.ok(await withPatience(drained.then(() => true)), 'the server does not end');
      assert.ok(await eventually(() => client.isClosed));
      assert.match(client.received, /connection: close/i);
      assert.deepEqual(client.answers, ['n0']);
      assert.deepEqual(gated.begun, ['n0']);
    });
  });
}

it('requests that come at once on one connection do not keep another waiting', async (t) => {
  const { gated, ...serving } = await serveGated(t);
  const client = await connect(serving);
  client.socket.write(
    texts(50)
      .map((text) => post({ text }))
      .join(''),
  );
  assert.ok(await eventually(() => gated.running === 1));
  const other = echoOf(serving, { protocol: 'connect', http: '1.1' }).unary({ text: 'other' });
  assert.ok(await eventually(() => gated.begun.includes('other')));
  await gated.next();
  await gated.next();
  assert.equal((await other).text, 'other');
  client.socket.destroy();
});
