// Proves that every call costs a token of its caller, else of its address, by whatever way it comes in, and more where
// the service says so; that whoever has none left is told when to come again, before its body is read; and what costs
// nothing: health, calls that are refused, calls from within the process, and all of it without a quota.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Code, type ConnectError, createClient } from '@connectrpc/connect';
import {
  ErrorInfoSchema,
  RetryInfoSchema,
  type RpcServerOptions,
  spend,
} from '../../../functions/rpc/index.ts';
import { Health } from '../../../proto/gen/health/v1/health_pb.js';
import { as, byName, byNameLater, toAllKnown } from '../../support/callers.ts';
import { all, endsWith } from '../../support/outcome.ts';
import { clientOf, nameOf, type Wire, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { Echo } from '../gen/echo_pb.js';
import { assertRefused, callAll, isCheck, serveWaysIn, waysIn } from '../ways-in.ts';

const grpc: Wire = { protocol: 'grpc', http: '2' };
const message = 'the caller has used up what it may do for now';

/** Echo, whose calls cost what their text says besides. Each second brings one token. */
async function serveQuota(
  t: TestContext,
  maxTokensPerCaller: number,
  options: Partial<RpcServerOptions> = {},
) {
  const clock = { nowMs: 0 };
  const limits = { tokensPerSecondPerCaller: 1, maxTokensPerCaller };
  const serving = await serveWaysIn(t, {
    limits,
    now: () => clock.nowMs,
    answer(context, { text }) {
      spend(context, Number(text));
      return '';
    },
    ...options,
  });
  return { serving, clock };
}

const known = (...ways: (typeof byName)[]) => ({
  auth: { scopes: { ...toAllKnown(Echo), '/here': [] }, ways },
});

/** That a call is refused for a time, which is rounded up. */
async function refusedForSeconds(seconds: number, call: Promise<unknown>): Promise<ConnectError> {
  const error = await endsWith(Code.ResourceExhausted, call);
  assert.equal(error.rawMessage, message);
  const [info] = error.findDetails(ErrorInfoSchema);
  assert.deepEqual([info?.domain, info?.reason], ['rpc', 'QUOTA_EXCEEDED']);
  const [retry] = error.findDetails(RetryInfoSchema);
  assert.deepEqual([retry?.retryDelay?.seconds, retry?.retryDelay?.nanos], [BigInt(seconds), 0]);
  assert.equal(error.metadata.get('retry-after'), String(seconds));
  return error;
}

for (const wire of wires) {
  describe(`a quota over ${nameOf(wire)}`, () => {
    for (const [moment, way] of Object.entries({ 'at once': byName, later: byNameLater })) {
      it(`is that of a caller, known ${moment}, on all its connections`, async (t) => {
        const { serving, clock } = await serveQuota(t, 3, known(way));
        const one = echoOf(serving, wire);
        const other = echoOf(serving, wire, { localAddress: '127.0.0.2' });
        for (const echo of [one, other, one]) await echo.unary({}, as('ann'));
        for (const echo of [one, other]) await refusedForSeconds(1, echo.unary({}, as('ann')));
        await all(one.serverStream({}, as('bob')));
        clock.nowMs += 1000;
        await all(other.serverStream({}, as('ann')));
        await refusedForSeconds(1, all(one.serverStream({}, as('ann'))));
      });
    }

    it('is that of an address where nobody knows the caller', async (t) => {
      const { serving } = await serveQuota(t, 1, { trustedProxies: 1 });
      const echo = echoOf(serving, wire);
      const from = (address: string) => ({ headers: { 'x-forwarded-for': `203.0.113.9, ${address}` } });
      await echo.unary({}, from('2001:db8::1'));
      await refusedForSeconds(1, echo.unary({}, from('2001:db8::2')));
      await echo.unary({}, from('2001:db8:0:1::1'));
      await echo.unary({});
      await refusedForSeconds(1, echo.unary({}));
    });

    it('is not touched by calls that are refused, nor by health checks', async (t) => {
      const { serving } = await serveQuota(t, 1, known(byName));
      const echo = echoOf(serving, wire);
      const health = clientOf(Health, serving, wire);
      for (let call = 0; call < 3; call += 1) {
        await endsWith(Code.Unauthenticated, echo.unary({}));
        await health.check({}, as('ann'));
      }
      await echo.unary({}, as('ann'));
      await refusedForSeconds(1, echo.unary({}, as('ann')));
      await health.check({}, as('ann'));
    });

    it('can be spent by one call, more than all of it, and is paid off before the next', async (t) => {
      const { serving, clock } = await serveQuota(t, 2, known(byName));
      const echo = echoOf(serving, wire);
      await echo.unary({ text: '9999' }, as('ann'));
      await refusedForSeconds(3 * 3_600, echo.unary({}, as('ann')));
      clock.nowMs += 9_998_000;
      await refusedForSeconds(1, echo.unary({}, as('ann')));
      clock.nowMs += 1_000;
      await echo.unary({ text: '0' }, as('ann'));
    });
  });
}

describe('a quota', () => {
  it('that is used up lets in nobody by any way, and no body is read', async (t) => {
    const { serving } = await serveQuota(t, 1);
    await echoOf(serving, grpc).unary({ text: '1000000' });
    const calls = serving.calls.length;
    const isFree = ({ path, protocol }: (typeof waysIn)[number]) =>
      protocol === 'local' || isCheck(path) || path.startsWith('/grpc.health.');
    const paying = waysIn.filter((way) => !isFree(way));
    assert.ok(paying.length > 20);
    for (const { way, outcome } of await callAll(serving, paying, true)) {
      assertRefused(way, outcome, Code.ResourceExhausted, message);
    }
    assert.equal(serving.calls.length, calls);
    const free = waysIn.filter((way) => isFree(way) && way.hasEnd);
    for (const { way, outcome } of await callAll(serving, free)) {
      assert.ok(outcome.status === '0' || outcome.http === 200, way.name);
    }
  });

  it('pays for what its calls cause within the process, once', async (t) => {
    const { serving } = await serveQuota(t, 3, {
      ...known(byName),
      http: (local) => [
        {
          paths: ['/here'],
          methods: ['GET'],
          headers: [],
          async answer(request, response) {
            const echo = createClient(Echo, local);
            await echo.unary({ text: '1' }, request.callOptions());
            await all(echo.serverStream({ text: '1' }, request.callOptions()));
            response.send('done');
          },
          errorText: ({ rawMessage }) => rawMessage,
        },
      ],
    });
    const ask = async () => {
      const headers = { connection: 'close', 'x-caller': 'ann' };
      const response = await fetch(`${serving.url}/here`, { headers });
      return [response.status, await response.text(), response.headers.get('retry-after')];
    };
    assert.deepEqual(await ask(), [200, 'done', null]);
    assert.deepEqual(await ask(), [429, message, '1']);
    await refusedForSeconds(1, echoOf(serving, grpc).unary({}, as('ann')));
    const inside = createClient(Echo, serving.server.local);
    for (let call = 0; call < 5; call += 1) await inside.unary({ text: '100' });
  });

  it('does not let calls at the same time take as much as each of them alone', async (t) => {
    let begun = 0;
    const together = Promise.withResolvers<void>();
    const limits = { tokensPerSecondPerCaller: 1, maxTokensPerCaller: 10 };
    const unary: NonNullable<Parameters<typeof serve>[1]>['unary'] = async (_, context) => {
      begun += 1;
      if (begun === 10) together.resolve();
      await together.promise;
      spend(context, 1_000);
      return {};
    };
    const serving = await serve(t, { unary }, { limits, now: () => 0 });
    const calls = Array.from({ length: 10 }, () => echoOf(serving, grpc).unary({}));
    const outcomes = await Promise.allSettled(calls);
    const refused = outcomes.flatMap((it) => (it.status === 'rejected' ? [it.reason] : []));
    assert.equal(refused.length, 9);
    for (const error of refused) await refusedForSeconds(1_200, Promise.reject(error));
  });

  it('is none by default: nothing that is spent matters', async (t) => {
    const serving = await serve(t, {
      unary(_, context) {
        spend(context, 1e9);
        return {};
      },
    });
    for (let call = 0; call < 3; call += 1) await echoOf(serving, grpc).unary({});
  });
});
