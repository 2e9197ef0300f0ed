// Proves that, where trusted proxies share a connection between their clients, resets cost the client that causes them
// and no other: its further calls are refused on all connections until its share comes in again, while those of others
// go on; that requests which name no client pay for each other alone, and health checks are let in; that the connection
// has an end of what it bears all the same; and that without trusted proxies a client is a connection.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { Code } from '@connectrpc/connect';
import { http2Engines } from '../../../functions/rpc/http2/engine.ts';
import { ErrorInfoSchema, RetryInfoSchema } from '../../../functions/rpc/index.ts';
import { frame } from '../../support/frames.ts';
import { http2Frame } from '../../support/http2-bytes.ts';
import { endsWith } from '../../support/outcome.ts';
import { eventually } from '../../support/patience.ts';
import { uint32 } from '../../support/raw-http2.ts';
import type { ServingOptions } from '../../support/server.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf, serve as serveEcho } from '../echo.ts';
import { echoService } from '../echo-service.ts';
import { ProxyPeer } from './proxy-peer.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM: enhanceYourCalm, NGHTTP2_PROTOCOL_ERROR: protocolError } = http2.constants;
const innocent = '192.0.2.1';
const attacker = '192.0.2.2';
/** What a client may reset in these tests: no more comes in while the clock stands still. */
const limits = { streamResetBurst: 100, streamResetsPerSecond: 10 };

/** A server behind a proxy, at a time that the test sets. */
async function serve(t: TestContext, options: Partial<ServingOptions> = {}) {
  const clock = { nowMs: 1_000 };
  const serving = await serveEcho(t, echoService(new Map()), {
    http2Engine: 'own',
    trustedProxies: 1,
    now: () => clock.nowMs,
    ...options,
    limits: { ...limits, ...options.limits },
  });
  return { serving, clock, proxy: new ProxyPeer(serving) };
}

for (const http2Engine of http2Engines) {
  it(`5,000 calls that one client resets cost another on the connection none (${http2Engine})`, async (t) => {
    const { serving, proxy } = await serve(t, { http2Engine });
    const open = proxy.begin(innocent, { path: '/test.echo.v1.Echo/Bidi' });
    const one = frame(Buffer.from('1001', 'hex')); // count 1
    proxy.message(open, false, one);
    assert.ok(await eventually(() => proxy.of(0, open).length === 1), 'no answer');
    for (let count = 0; count < 25; count++) {
      await proxy.resetCalls(attacker, 200);
      assert.ok(await proxy.isAnswered(innocent), `the ${count}th call of the other was refused`);
    }
    proxy.message(open, true, one);
    assert.ok(await eventually(() => proxy.isOver(open)), 'the open call was lost');
    assert.equal(proxy.of(0, open).length, 2);
    assert.equal(await proxy.isAnswered(attacker), false);
    await serving.line((it) => it.forwardedFor === attacker && it.code === 'RESOURCE_EXHAUSTED');
  });
}

describe('a client that has reset more than it may', () => {
  for (const wire of wires) {
    it(`is refused on other connections too, and told when to come again: ${nameOf(wire)}`, async (t) => {
      const { serving, clock, proxy } = await serve(t);
      await proxy.resetCalls(attacker, 200);
      const call = (client: string) =>
        echoOf(serving, wire).unary({}, { headers: { 'x-forwarded-for': client } });
      const error = await endsWith(Code.ResourceExhausted, call(attacker));
      assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, 'TOO_MANY_RESETS');
      assert.equal(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds, 1n);
      await call(innocent);
      clock.nowMs += 1_000;
      await call(attacker);
    });
  }

  it('is refused before the gate is asked', async (t) => {
    let asked = 0;
    const gate = () => {
      asked += 1;
      return undefined;
    };
    const { proxy } = await serve(t, { gate });
    await proxy.resetCalls(attacker, 100);
    assert.equal(asked, 100);
    await proxy.resetCalls(attacker, 100);
    assert.equal(asked, 100);
    assert.ok(await proxy.isAnswered(innocent));
    assert.equal(asked, 101);
  });

  it('has had what it may, and not less', async (t) => {
    const { proxy } = await serve(t);
    await proxy.resetCalls(attacker, 99);
    assert.equal(await proxy.isAnswered(attacker), true);
    await proxy.resetCalls(attacker, 1);
    assert.equal(await proxy.isAnswered(attacker), false);
  });

  it('costs its network of IPv6 the same', async (t) => {
    const { proxy } = await serve(t);
    await proxy.resetCalls('2001:db8::1', 50);
    await proxy.resetCalls('2001:db8::2', 50);
    assert.equal(await proxy.isAnswered('2001:db8:0:0:1::'), false);
    assert.equal(await proxy.isAnswered('2001:db8:0:1::'), true);
  });

  /** Faults for which the server resets a stream. */
  const faults: Record<string, (proxy: ProxyPeer) => void> = {
    'a window that opens by nothing': (proxy) =>
      proxy.send(http2Frame(8, 0, proxy.begin(attacker), uint32(0))),
    'DATA behind the end': (proxy) => {
      const stream = proxy.begin(attacker);
      proxy.message(stream, true, frame(Buffer.from('4001', 'hex'))); // it hangs
      proxy.message(stream, false);
    },
    'a body of another length than it says': (proxy) =>
      proxy.message(proxy.begin(attacker, { more: { 'content-length': '1' } }), false),
  };
  for (const [fault, commit] of Object.entries(faults)) {
    it(`may have made the server reset them: ${fault}`, async (t) => {
      const { proxy } = await serve(t);
      for (let count = 0; count < 2_000; count++) {
        commit(proxy);
        if (count % 250 === 0) await proxy.settle();
      }
      assert.equal(await proxy.isAnswered(innocent), true);
      assert.equal(await proxy.isAnswered(attacker), false);
    });
  }
});

it('calls beyond the streams of a connection are charged to whose they are', async (t) => {
  const { proxy } = await serve(t, { limits: { maxConcurrentStreams: 2 } });
  const open = [proxy.begin(innocent), proxy.begin(innocent)];
  for (let count = 0; count < 500; count++) proxy.begin(attacker);
  await proxy.settle();
  for (const stream of open) proxy.message(stream, true);
  assert.ok(await eventually(() => open.every((it) => proxy.of(0, it).length === 1)), 'no answers');
  assert.equal(await proxy.isAnswered(innocent), true);
  assert.equal(await proxy.isAnswered(attacker), false);
});

describe('requests that name no client', () => {
  it('cost each other, but no client that is named, nor health checks', async (t) => {
    const { proxy } = await serve(t);
    await proxy.resetCalls('nobody', 2_000);
    assert.equal(await proxy.isAnswered('nobody'), false);
    assert.equal(await proxy.isAnswered('nobody', '/grpc.health.v1.Health/Check'), true);
    assert.equal(await proxy.isAnswered(innocent), true);
  });

  it('because they are malformed end no connection', async (t) => {
    const { proxy } = await serve(t);
    for (let count = 0; count < 2_000; count++) {
      proxy.begin(attacker, { more: { connection: 'close' } });
      if (count % 250 === 0) await proxy.settle();
    }
    assert.equal(await proxy.isAnswered(innocent), true);
  });
});

describe('a shared connection', () => {
  it('ends once its clients have reset what so many of them may', async (t) => {
    const { proxy } = await serve(t, { limits: { streamResetBurst: 10, resetSharesPerConnection: 3 } });
    for (let client = 1; client <= 3; client++) await proxy.resetCalls(`192.0.2.${client}`, 9);
    assert.equal(proxy.goawayCode, undefined);
    for (let client = 1; client <= 30; client++) await proxy.resetCalls(`198.51.100.${client}`, 20);
    assert.equal(proxy.goawayCode, enhanceYourCalm);
  });

  it('ends also if one client has reset as much: refusing it is work too', async (t) => {
    const { proxy } = await serve(t, { limits: { streamResetBurst: 10, resetSharesPerConnection: 3 } });
    await proxy.resetCalls(attacker, 25);
    assert.equal(await proxy.isAnswered(innocent), true);
    await proxy.resetCalls(attacker, 20);
    assert.equal(proxy.goawayCode, enhanceYourCalm);
  });

  it('counts so many clients, and those beyond them together', async (t) => {
    const { proxy } = await serve(t, { limits: { streamResetBurst: 10, maxClientsWithResets: 2 } });
    for (let client = 1; client <= 4; client++) await proxy.resetCalls(`192.0.2.${client}`, 5);
    assert.equal(await proxy.isAnswered('192.0.2.1'), true);
    assert.equal(await proxy.isAnswered('192.0.2.3'), false);
    assert.equal(
      await proxy.isAnswered('192.0.2.5'),
      false,
      'it is as new as those who have used up that share',
    );
  });
});

describe('without trusted proxies', () => {
  for (const http2Engine of http2Engines) {
    it(`a client is a connection, whatever it says (${http2Engine})`, async (t) => {
      const { serving, proxy } = await serve(t, { http2Engine, trustedProxies: 0 });
      for (let client = 1; client <= 200; client++) await proxy.resetCalls(`192.0.2.${client}`, 5);
      assert.ok(await eventually(() => proxy.isClosed || proxy.goawayCode !== undefined), 'it goes on');
      assert.equal(proxy.goawayCode, http2Engine === 'own' ? enhanceYourCalm : protocolError);
      assert.ok(await new ProxyPeer(serving).isAnswered('192.0.2.1'));
    });
  }
});

describe('resets of streams that are answered', () => {
  const strict = { streamResetBurst: 1, glitchBurst: 20, glitchesPerSecond: 1 };

  for (const trustedProxies of [0, 1]) {
    it(`cost nobody anything, once each, with ${trustedProxies} trusted proxies`, async (t) => {
      const { proxy } = await serve(t, { trustedProxies, limits: strict });
      for (let count = 0; count < 10; count++) {
        const streams = Array.from({ length: 100 }, () => proxy.begin(innocent));
        for (const stream of streams) proxy.message(stream, true);
        assert.ok(await eventually(() => streams.every((it) => proxy.isOver(it))), 'calls are open');
        for (const stream of streams) proxy.reset(stream);
      }
      assert.equal(await proxy.isAnswered(innocent), true);
    });
  }

  it('cost nobody anything where the request goes on', async (t) => {
    const { proxy } = await serve(t, { trustedProxies: 0, limits: strict });
    const streams = Array.from({ length: 100 }, () =>
      proxy.begin(innocent, { path: '/test.echo.v1.Echo/None' }),
    );
    assert.ok(await eventually(() => streams.every((it) => proxy.isOver(it))), 'calls are open');
    for (const stream of streams) proxy.reset(stream);
    assert.equal(await proxy.isAnswered(innocent), true);
  });

  it('are frames for nothing once they are more than there were streams', async (t) => {
    const { proxy } = await serve(t, { limits: { glitchBurst: 100, glitchesPerSecond: 1 } });
    assert.equal(await proxy.isAnswered(attacker), true);
    for (let count = 0; count < 200; count++) proxy.reset(1);
    assert.ok(await eventually(() => proxy.isClosed || proxy.goawayCode !== undefined), 'it goes on');
    assert.equal(proxy.goawayCode, enhanceYourCalm);
  });
});
