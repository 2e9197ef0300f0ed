// Proves that memory, watches and calls are shared by caller once that is known, and by address before: two connections
// of one caller share, two callers on one connection do not; and that all that was taken is given back, whatever
// happens, also where a caller has no memory left for a call that is its own.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type CallOptions, Code } from '@connectrpc/connect';
import fc from 'fast-check';
import { ClientShare } from '../../../functions/rpc/call/client-share.ts';
import { Clients } from '../../../functions/rpc/call/clients.ts';
import { MemoryBudget } from '../../../functions/rpc/call/memory-budget.ts';
import { ErrorInfoSchema, type RpcLimits, rpcLimits, type Way } from '../../../functions/rpc/index.ts';
import { ServerReflection } from '../../../functions/rpc/standard/gen/grpc/reflection/v1/reflection_pb.js';
import { Health } from '../../../proto/gen/health/v1/health_pb.js';
import { as, byName, byNameLater, toAllKnown } from '../../support/callers.ts';
import { endsWith } from '../../support/outcome.ts';
import { eventually } from '../../support/patience.ts';
import { clientOf, nameOf, type Wire, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { Echo } from '../gen/echo_pb.js';
import { serveWaysIn } from '../ways-in.ts';

const grpc: Wire = { protocol: 'grpc', http: '2' };

/** A server whose `unary` waits for `finish` if it is sent a text. */
async function serveWaiting(t: TestContext, options: Options) {
  const { limits, way, trustedProxies = 0 } = options;
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  const calls: Promise<unknown>[] = [];
  let begun = 0;
  const unary = async ({ text }: { text: string }) => {
    begun += 1;
    if (text !== '') await finished;
    return {};
  };
  const auth = { scopes: toAllKnown(Echo), ways: way === undefined ? [] : [way] };
  const serving = await serve(t, { unary }, { limits, auth, trustedProxies });
  return {
    serving,
    /** Begins a call that waits, and returns when it has come to its method. */
    async hang(echo: ReturnType<typeof echoOf>, callOptions?: CallOptions): Promise<void> {
      calls.push(echo.unary({ text: 'wait' }, callOptions));
      assert.ok(await eventually(() => begun === calls.length));
    },
    /** Ends the calls that wait. */
    async finish(): Promise<void> {
      resolve();
      await Promise.all(calls);
    },
  };
}

interface Options {
  readonly limits: Partial<RpcLimits>;
  readonly way?: Way;
  readonly trustedProxies?: number;
}

/** Opens a call of reflection, which lasts until the client is closed. */
async function reflect(reflection: ReturnType<typeof clientOf<typeof ServerReflection>>, caller: string) {
  async function* questions() {
    yield { messageRequest: { case: 'listServices' as const, value: '' } };
    await new Promise(() => {});
  }
  return reflection.serverReflectionInfo(questions(), as(caller))[Symbol.asyncIterator]().next();
}

function reasonOf(error: Awaited<ReturnType<typeof endsWith>>): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.reason;
}

describe('what a call takes of the shares of its client', () => {
  it('is counted for one client at a time, and given back, whatever happens in which order', () => {
    const place = fc.nat(5);
    const bytes = fc.integer({ min: 0, max: 500 });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('hold' as const), place, bytes }),
      fc.record({ kind: fc.constant('release' as const), place, bytes }),
      fc.record({ kind: fc.constant('holdApart' as const), place, bytes }),
      fc.record({ kind: fc.constant('watch' as const), place, bytes }),
      fc.record({ kind: fc.constant('giveBack' as const), place, bytes }),
      fc.record({ kind: fc.constantFrom('key:ann' as const, 'key:bob' as const), place, bytes }),
    );
    const limits = {
      ...rpcLimits,
      maxHeldBytes: 3_000,
      maxHeldBytesPerClient: 1_500,
      maxWatchesPerClient: 2,
    };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const memory = new MemoryBudget(limits);
        const clients = new Clients();
        const untimedCalls = { count: 0 };
        const connections = ['192.0.2.1', '192.0.2.2'].map((it) => ({
          client: clients.enter(it),
          heldBytes: 0,
        }));
        const shares = Array.from({ length: 6 }, (_, number) => {
          const connection = connections[number % 2] ?? assert.fail();
          const address = number > 3 ? '192.0.2.3' : undefined;
          const policy = { limits, memory, clients, untimedCalls, strangers: undefined };
          return {
            share: new ClientShare(address, connection, true, policy),
            heldBytes: 0,
            isWatch: false,
            isGone: false,
          };
        });
        const apart: { name: string; bytes: number; giveBack: () => void }[] = [];
        for (const { kind, place, bytes } of steps) {
          const it = shares[place] ?? assert.fail();
          if (kind === 'giveBack') {
            it.share.giveBack();
            it.isGone = true;
          } else if (kind === 'release') {
            it.share.release(Math.min(bytes, it.heldBytes));
            if (!it.isGone) it.heldBytes -= Math.min(bytes, it.heldBytes);
          } else if (it.isGone) {
            it.share.moveTo('key:ann');
          } else if (kind === 'hold') {
            if (it.share.hold(bytes)) it.heldBytes += bytes;
          } else if (kind === 'holdApart') {
            const giveBack = it.share.holdApart(bytes);
            if (giveBack !== undefined) apart.push({ name: it.share.name, bytes, giveBack });
          } else if (kind === 'watch') {
            if (!it.isWatch) it.isWatch = it.share.watch();
          } else if (it.share.moveTo(kind)) assert.equal(it.share.name, kind);
          for (const name of ['192.0.2.1', '192.0.2.2', '192.0.2.3', 'key:ann', 'key:bob']) {
            const of = shares.filter(({ share, isGone }) => share.name === name && !isGone);
            const client = clients.enterNamed(name);
            assert.equal(client.calls, of.length);
            assert.equal(client.untimedCalls, of.filter(({ isWatch }) => isWatch).length);
            const heldBytes = [
              ...of,
              ...apart.filter((it) => it.name === name).map(({ bytes }) => ({ heldBytes: bytes })),
            ];
            assert.equal(
              client.heldBytes,
              heldBytes.reduce((sum, it) => sum + it.heldBytes, 0),
            );
            assert.ok(client.heldBytes <= limits.maxHeldBytesPerClient);
            clients.leave(client);
          }
        }
        for (const { share } of shares) share.giveBack();
        for (const { giveBack } of apart) giveBack();
        assert.equal(memory.heldBytes, 0);
        assert.equal(untimedCalls.count, 0);
        for (const { client, heldBytes } of connections) {
          assert.deepEqual([heldBytes, client.heldBytes, client.calls, client.untimedCalls], [0, 0, 0, 0]);
          clients.leave(client);
        }
        assert.equal(clients.count, 0);
      }),
    );
  });
});

for (const [moment, way] of Object.entries({ 'at once': byName, later: byNameLater })) {
  describe(`a caller that is known ${moment}`, () => {
    it('has one share of memory on all its connections, and gives back what its address had lent', async (t) => {
      const limits = { maxHeldBytesPerClient: 7_000 };
      const { serving, hang, finish } = await serveWaiting(t, { limits, way });
      await hang(echoOf(serving, grpc), as('ann'));
      const other = echoOf(serving, grpc, { localAddress: '127.0.0.2' });
      const { rawMessage } = await endsWith(Code.ResourceExhausted, other.unary({}, as('ann')));
      assert.match(rawMessage, /hold too much memory/);
      await hang(other, as('bob'));
      await endsWith(Code.ResourceExhausted, other.unary({}, as('bob')));
      // Nothing is left of those that were refused, nor in the share of their address.
      await hang(other, as('carl'));
      await finish();
      assert.ok(await eventually(() => serving.server.usage.heldBytes === 0));
      await other.unary({}, as('ann'));
    });

    it('has one share of watches on all its connections; another on the same connection has its own', async (t) => {
      const { serving } = await serveWaiting(t, { limits: { maxWatchesPerClient: 1 }, way });
      const one = clientOf(ServerReflection, serving, grpc);
      const other = clientOf(ServerReflection, serving, grpc, { localAddress: '127.0.0.2' });
      await reflect(one, 'ann');
      await endsWith(Code.ResourceExhausted, reflect(one, 'ann'));
      await endsWith(Code.ResourceExhausted, reflect(other, 'ann'));
      await reflect(one, 'bob');
      assert.equal(serving.server.usage.watches, 2);
    });

    for (const wire of wires) {
      it(`has a number of calls on all its connections over ${nameOf(wire)}`, async (t) => {
        const { serving, hang, finish } = await serveWaiting(t, { limits: { maxCallsPerClient: 2 }, way });
        const one = echoOf(serving, wire);
        const other = echoOf(serving, wire, { localAddress: '127.0.0.2' });
        await hang(one, as('ann'));
        await hang(other, as('ann'));
        for (const echo of [one, other]) {
          const error = await endsWith(Code.ResourceExhausted, echo.unary({}, as('ann')));
          assert.equal(reasonOf(error), 'TOO_MANY_CALLS');
        }
        await hang(one, as('bob'));
        await hang(one, as('bob'));
        await clientOf(Health, serving, wire).check({}, as('ann'));
        await finish();
        // The server hears in its own time that they are gone.
        for (const name of ['ann', 'bob']) {
          let isLetIn = false;
          assert.ok(
            await eventually(() => {
              one
                .unary({}, as(name))
                .then(() => (isLetIn = true))
                .catch(() => {});
              return isLetIn;
            }),
          );
        }
      });
    }
  });
}

it('a call from within the process takes no place beside the one that it belongs to', async (t) => {
  const auth = { scopes: { ...toAllKnown(Echo), '/here': [] }, ways: [byName] };
  const serving = await serveWaysIn(t, { auth, limits: { maxCallsPerClient: 1 } });
  const headers = { 'x-caller': 'ann', connection: 'close' };
  const response = await fetch(`${serving.url}/here`, { headers });
  await response.text();
  assert.deepEqual([response.status, serving.calls], [200, ['Unary']]);
});

for (const wire of wires) {
  it(`whom nobody knows has a number of calls by address over ${nameOf(wire)}, also behind a proxy`, async (t) => {
    const limits = { maxCallsPerClient: 1 };
    const { serving, hang, finish } = await serveWaiting(t, { limits, trustedProxies: 1 });
    const from = (address: string) => ({ headers: { 'x-forwarded-for': `203.0.113.9, ${address}` } });
    const echo = echoOf(serving, wire);
    await hang(echo, from('2001:db8::1'));
    await hang(echo, from('192.0.2.1'));
    await hang(echo);
    for (const options of [from('2001:db8::2'), from('192.0.2.1'), undefined]) {
      const error = await endsWith(Code.ResourceExhausted, echo.unary({}, options));
      assert.equal(reasonOf(error), 'TOO_MANY_CALLS');
    }
    await echo.unary({}, from('192.0.2.2'));
    await finish();
  });
}
