// Proves that an export is over at its time and leaves no connection behind, with a signature or without, whatever the
// collector does: it switches protocols, drips its answer, says "continue" for ever, or nothing. The next one is sent.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { HttpTransport } from '../../../functions/process/otlp/http-transport.ts';
import type { OtlpEndpoint } from '../../../functions/process/otlp/settings.ts';
import { type Credentials, SignedTransport } from '../../../functions/process/otlp/signed-transport.ts';
import { eventually, withPatience } from '../../support/patience.ts';

const data = Buffer.from('what is sent');
const signing = { service: 'xray', region: 'eu-central-1' };
const identity = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'the secret' };

const endpointOf = (url: string): OtlpEndpoint => ({
  url,
  headers: {},
  timeoutMs: 1,
  compression: 'none',
  ca: undefined,
});

/** Answers requests by writing into their connections. `repeat`: again and again, for as long as they are open. */
async function collect(t: TestContext, answer: (number: number) => { once?: string; repeat?: string }) {
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = net.createServer((socket) => {
    sockets.add(socket);
    let timer: NodeJS.Timeout | undefined;
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      sockets.delete(socket);
    });
    socket.on('data', (chunk) => {
      if (!chunk.includes('POST ')) return;
      const { once: text = '', repeat } = answer(requests);
      requests += 1;
      if (text !== '') socket.write(text);
      if (repeat !== undefined) timer = setInterval(() => socket.write(repeat), 10);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  // A TCP server has an address and a port.
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1/traces`, sockets };
}

const good = { once: 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' };
const switching = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nxyz';

for (const [what, transportTo] of [
  ['plain', (url: string) => new HttpTransport(endpointOf(url))],
  ['signed', (url: string) => new SignedTransport(endpointOf(url), signing, identity)],
] as const) {
  describe(`a ${what} export is over at its time, and the next one is sent, where the collector`, () => {
    const answers: [what: string, { once?: string; repeat?: string }, status: string, message: RegExp][] = [
      ['switches protocols', { once: switching }, 'failure', /Switching/],
      [
        'drips its answer',
        { once: 'HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n', repeat: 'x' },
        'retryable',
        /no whole answer within 200 ms/,
      ],
      ['drips its headers', { once: 'HTTP/1.1 200 OK\r\n', repeat: 'a: b\r\n' }, 'retryable', /no whole/],
      ['says nothing', {}, 'retryable', /no whole answer/],
      ['says "continue" for ever', { repeat: 'HTTP/1.1 100 Continue\r\n\r\n' }, 'retryable', /no whole/],
    ];
    for (const [does, bad, status, message] of answers) {
      it(does, async (t) => {
        const { url, sockets } = await collect(t, (number) => (number === 0 ? bad : good));
        const transport = transportTo(url);
        t.after(() => transport.shutdown());
        const response = await withPatience(transport.send(data, 200));
        assert.equal(response?.status, status);
        assert.ok(response !== undefined && 'error' in response);
        assert.match(response.error?.message ?? '', message);
        assert.ok(await eventually(() => sockets.size === 0));
        assert.equal((await withPatience(transport.send(data, 10_000)))?.status, 'success');
      });
    }
  });
}

it('a signed export is over at its time also where credentials never come', async (t) => {
  const { url } = await collect(t, () => good);
  const never: Credentials = () => new Promise(() => {});
  const transport = new SignedTransport(endpointOf(url), signing, never);
  t.after(() => transport.shutdown());
  assert.equal((await withPatience(transport.send(data, 50)))?.status, 'retryable');
});
