// Proves who counts as one client: an address of IPv4, or a network of IPv6 however it is written, and behind trusted
// proxies the address that the outermost of them has seen, and nothing that a client says itself; and that each has its
// own share of connections and calls, which is there again afterwards.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { Code, createClient, type Transport } from '@connectrpc/connect';
import fc from 'fast-check';
import { clientName, clientOf as clientOfCall } from '../../../functions/rpc/call/client-name.ts';
import { Clients } from '../../../functions/rpc/call/clients.ts';
import type { HttpResource } from '../../../functions/rpc/http/http-resource.ts';
import { Health } from '../../../proto/gen/health/v1/health_pb.js';
import { endsWith } from '../../support/outcome.ts';
import { eventually, withPatience } from '../../support/patience.ts';
import { closeBefore, type Serving } from '../../support/server.ts';
import { clientOf, nameOf, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { Echo } from '../gen/echo_pb.js';

describe('a client', () => {
  const group = fc.oneof(fc.constant(0), fc.constant(0xffff), fc.nat(0xffff));
  const address = fc.tuple(group, group, group, group, group, group, group, group);

  /** The ways to write an address of IPv6 (RFC 4291 section 2.2). */
  function forms(groups: readonly number[]): string[] {
    const short = groups.map((it) => it.toString(16));
    const long = short.map((it) => it.padStart(4, '0').toUpperCase());
    const [g = 0, h = 0] = groups.slice(6);
    const dotted = [g >> 8, g & 255, h >> 8, h & 255].join('.');
    const compressed: string[] = [];
    for (let start = 0; start < 8; start++) {
      for (let end = start + 1; end <= 8 && groups.slice(start, end).every((it) => it === 0); end++) {
        compressed.push(`${short.slice(0, start).join(':')}::${short.slice(end).join(':')}`);
      }
    }
    return [short.join(':'), long.join(':'), `${short.slice(0, 6).join(':')}:${dotted}`, ...compressed];
  }

  it('is a network of 64 bits of IPv6, in whatever form its addresses are written', () => {
    fc.assert(
      fc.property(address, address, (one, other) => {
        const clients = new Clients();
        const nameOfAddress = (it: string) => {
          assert.ok(net.isIPv6(it), it);
          const client = clients.enter(it);
          clients.leave(client);
          return client.name;
        };
        const names = new Set(forms(one).map(nameOfAddress));
        assert.equal(names.size, 1, [...names].join(' '));
        const neighbour = [...one.slice(0, 4), ...other.slice(4)];
        const isMapped = [one, other, neighbour].some((it) => it.slice(0, 6).join() === '0,0,0,0,0,65535');
        if (isMapped) return;
        assert.equal(nameOfAddress(forms(neighbour)[0] ?? ''), [...names][0]);
        const isSame = one.slice(0, 4).join() === other.slice(0, 4).join();
        assert.equal(nameOfAddress(forms(other)[0] ?? '') === [...names][0], isSame);
      }),
    );
  });

  it('is an address of IPv4, also on a socket of IPv6', () => {
    const clients = new Clients();
    const client = clients.enter('192.0.2.1');
    for (const address of [
      '::ffff:192.0.2.1',
      '::FFFF:192.0.2.1',
      '::ffff:c000:201',
      '0:0:0:0:0:ffff:192.0.2.1',
    ]) {
      assert.equal(clients.enter(address), client, address);
    }
    assert.notEqual(clients.enter('192.0.2.2'), client);
    assert.notEqual(clients.enter('::ffff:192.0.2.3'), client);
    assert.equal(clients.enter('fe80::1%eth0'), clients.enter('fe80::2'));
  });

  it('is forgotten when nothing of it is left, and not before', () => {
    const clients = new Clients();
    const client = clients.enter('192.0.2.1');
    assert.equal(clients.enter('192.0.2.1'), client);
    clients.leave(client);
    assert.equal(clients.enter('192.0.2.1'), client);
    clients.leave(client);
    clients.leave(client);
    assert.equal(clients.count, 0);
    assert.notEqual(clients.enter('192.0.2.1'), client);
  });
});

describe('the client that proxies name', () => {
  for (const [forwarded, trustedProxies, expected] of [
    ['192.0.2.1', 1, '192.0.2.1'],
    ['203.0.113.9, 192.0.2.1', 1, '192.0.2.1'],
    ['203.0.113.9,192.0.2.1 ', 1, '192.0.2.1'],
    ['203.0.113.9, 192.0.2.1, 10.0.0.1', 2, '192.0.2.1'],
    ['2001:db8::1', 1, '2001:db8::1'],
    ['192.0.2.1', 0, undefined],
    ['192.0.2.1', 2, undefined],
    ['192.0.2.1, not an address', 1, undefined],
    ['192.0.2.1,', 1, undefined],
    ['', 1, undefined],
    [undefined, 1, undefined],
  ] as const) {
    it(`is ${expected ?? 'nobody'} for ${JSON.stringify(forwarded)} and ${trustedProxies} of them`, () => {
      assert.equal(clientName({ 'x-forwarded-for': forwarded }, trustedProxies), expected);
    });
  }

  it('is an address, or nobody, whatever a client has written', () => {
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), fc.integer({ min: 1, max: 3 }), (text, address, proxies) => {
        const name = clientName({ 'x-forwarded-for': text }, proxies);
        assert.ok(name === undefined || net.isIP(name) > 0);
        assert.equal(clientName({ 'x-forwarded-for': `${text}, ${address}` }, 1), address);
      }),
    );
  });
});

describe('the client of a call', () => {
  const unary = {
    unary: (_: unknown, context: Parameters<typeof clientOfCall>[0]) => ({ text: clientOfCall(context) }),
  };
  const forwarded = { headers: { 'x-forwarded-for': '203.0.113.9, 192.0.2.1' } };

  for (const wire of wires) {
    it(`is that of its connection over ${nameOf(wire)}, whatever it says of itself`, async (t) => {
      const serving = await serve(t, unary);
      assert.equal((await echoOf(serving, wire).unary({}, forwarded)).text, '127.0.0.1');
      const other = echoOf(serving, wire, { localAddress: '127.0.0.2' });
      assert.equal((await other.unary({}, forwarded)).text, '127.0.0.2');
    });

    it(`is the one that a trusted proxy names over ${nameOf(wire)}`, async (t) => {
      const serving = await serve(t, unary, { trustedProxies: 1 });
      const echo = echoOf(serving, wire);
      assert.equal((await echo.unary({}, forwarded)).text, '192.0.2.1');
      await serving.line((line) => line.forwardedFor === '192.0.2.1');
      assert.equal((await echo.unary({})).text, '127.0.0.1');
      await serving.line((line) => line.method !== undefined && line.forwardedFor === undefined);
      const ipv6 = { headers: { 'x-forwarded-for': '2001:DB8:1:2:3:4:5:6' } };
      assert.equal((await echo.unary({}, ipv6)).text, '2001:db8:1:2::/64');
      assert.ok(
        await eventually(() => serving.server.usage.clients === 1),
        'those of calls are not forgotten',
      );
    });

    it(`has its own share behind a proxy over ${nameOf(wire)}`, async (t) => {
      const serving = await serve(t, {}, { trustedProxies: 1, limits: { maxWatchesPerClient: 1 } });
      const health = clientOf(Health, serving, wire);
      const watch = (client: string) =>
        health
          .watch({}, { headers: { 'x-forwarded-for': `203.0.113.9, ${client}` } })
          [Symbol.asyncIterator]()
          .next();
      await watch('2001:db8::1');
      await watch('192.0.2.1');
      await endsWith(Code.ResourceExhausted, watch('2001:db8::2'));
      await endsWith(Code.ResourceExhausted, watch('192.0.2.1'));
      await watch('192.0.2.2');
    });
  }

  it('is its caller’s for a call from within the process, where that has one', async (t) => {
    const http = (local: Transport): HttpResource[] => [
      {
        paths: ['/client'],
        methods: ['GET'],
        headers: ['content-type', 'text/plain'],
        async answer(request, response) {
          const { text } = await createClient(Echo, local).unary({}, request.callOptions());
          response.send(text);
        },
        errorText: ({ rawMessage }) => rawMessage,
      },
    ];
    const serving = await serve(t, unary, { http, trustedProxies: 1 });
    const ask = async (headers: Record<string, string>) =>
      (await fetch(`${serving.url}/client`, { headers: { connection: 'close', ...headers } })).text();
    assert.equal(await ask(forwarded.headers), '192.0.2.1');
    assert.equal(await ask({}), '127.0.0.1');
    assert.equal((await createClient(Echo, serving.server.local).unary({})).text, 'local');
  });
});

describe('the connections of a client', () => {
  const limits = { maxConnectionsPerClient: 2 };

  it('are bounded, and another’s are not affected', async (t) => {
    const serving = await serve(t, {}, { limits });
    const first = await connect(serving, '127.0.0.1');
    const second = await connect(serving, '127.0.0.1');
    await assertClosed(await connect(serving, '127.0.0.1'));
    await serving.line(({ reason }) => reason === 'the client has as many connections as it may');
    const others = [await connect(serving, '127.0.0.2'), await connect(serving, '127.0.0.2')];
    await assertClosed(await connect(serving, '127.0.0.2'));
    for (const socket of [first, second, ...others]) assert.match(await answerOf(socket), /^HTTP\/1\.1 200/);
    first.destroy();
    // The server hears of it in its own time.
    for (let tries = 0, isOpen = false; !isOpen; tries++) {
      assert.ok(tries < 100, 'the place of a connection that is gone stays taken');
      const socket = await connect(serving, '127.0.0.1');
      isOpen = await answerOf(socket).then(
        (answer) => answer !== '',
        () => false,
      );
    }
  });

  it('are not where they are a proxy’s', async (t) => {
    const serving = await serve(t, {}, { limits, trustedProxies: 1 });
    for (let count = 0; count < 5; count++) {
      assert.match(await answerOf(await connect(serving, '127.0.0.1')), /^HTTP\/1\.1 200/);
    }
  });
});

async function connect(serving: Serving, localAddress: string): Promise<net.Socket> {
  const socket = net.connect({ port: serving.port, host: '127.0.0.1', localAddress });
  closeBefore(serving, () => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function assertClosed(socket: net.Socket): Promise<void> {
  const closed = socket.closed || (await withPatience(once(socket, 'close')));
  assert.ok(closed, 'the connection is open');
}

/** What a health check on a connection that was not refused gets. */
async function answerOf(socket: net.Socket): Promise<string> {
  socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n');
  const answered = once(socket, 'data').then(([data]) => String(data));
  const closed = once(socket, 'close').then(() => '');
  return Promise.race([answered, closed]);
}
