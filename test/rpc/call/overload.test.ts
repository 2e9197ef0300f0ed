// Proves, with a real server and real calls that are more than it can do, that health is answered meanwhile, that what
// is refused is told when to come again in the words of its protocol, that what is let in ends well, that the log has
// few lines of it, and that nothing is refused once the load is over, or where the limit is off. A slow machine refuses
// more; nothing here is about time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, Metrics, RetryInfoSchema } from '../../../functions/rpc/index.ts';
import { Health, HealthCheckResponse_ServingStatus } from '../../../proto/gen/health/v1/health_pb.js';
import { eventually } from '../../support/patience.ts';
import type { Serving } from '../../support/server.ts';
import { clientOf, nameOf, type Wire, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { countOf, figureOf } from '../telemetry/readings.ts';

/** More than one connection may have under way, so that they have several. */
const callers = 1_000;
const clients = 5;
/** So many refusals are enough to look at; a caller that sees none goes on for so many calls. */
const enough = 50;
const mostCallsOfEach = 100;

/** Keeps the loop busy. */
function burn(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Calls of many callers, each of whom goes on whatever becomes of a call, until enough have failed. */
async function flood(serving: Serving, wire: Wire, mostOfEach = mostCallsOfEach) {
  const echoes = Array.from({ length: clients }, () => echoOf(serving, wire));
  type T = Awaited<ReturnType<(typeof echoes)[number]['unary']>>;
  const outcomes: { readonly text: string; readonly outcome: PromiseSettledResult<T> }[] = [];
  let failed = 0;
  const callAgain = async (caller: number) => {
    for (let count = 0; count < mostOfEach && failed < enough; count++) {
      const text = `${caller} ${count}`;
      const echo = echoes[caller % clients];
      const [outcome] = await Promise.allSettled([echo?.unary({ text }) ?? Promise.reject()]);
      if (outcome === undefined) continue;
      outcomes.push({ text, outcome });
      if (outcome.status === 'rejected') failed += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => callAgain(caller)));
  return outcomes;
}

function burning(options = {}) {
  return [
    {
      unary({ text }: { readonly text: string }) {
        burn(0.2);
        return { text };
      },
    },
    { limits: { overloadTurnMs: 4, ...options } },
  ] as const;
}

for (const wire of wires) {
  describe(`more calls than can be done, over ${nameOf(wire)}`, () => {
    it('are refused, and the others answered', async (t) => {
      const serving = await serve(t, ...burning());
      const echo = echoOf(serving, wire);
      const health = clientOf(Health, serving, wire);
      await echo.unary({ text: 'first' });
      const asked = flood(serving, wire, wire.http === '2' ? mostCallsOfEach : 2);
      const checks = Array.from({ length: 3 }, () => health.check({}));
      const outcomes = await asked;
      for (const { status } of await Promise.all(checks)) {
        assert.equal(status, HealthCheckResponse_ServingStatus.SERVING);
      }
      let refused = 0;
      for (const { text, outcome } of outcomes) {
        if (outcome.status === 'fulfilled') {
          assert.equal(outcome.value.text, text);
          continue;
        }
        refused += 1;
        assertRefused(outcome.reason, wire);
      }
      assert.ok(refused < outcomes.length, 'all were refused');
      // Over HTTP/1.1 few come at a time.
      if (wire.http === '2') assert.ok(refused > 0, 'none was refused');
    });
  });
}

function assertRefused(reason: unknown, { protocol }: Wire): void {
  assert.ok(reason instanceof ConnectError, String(reason));
  assert.equal(reason.code, Code.Unavailable);
  const [info] = reason.findDetails(ErrorInfoSchema);
  assert.deepEqual([info?.domain, info?.reason], ['rpc', 'OVERLOADED']);
  const [retry] = reason.findDetails(RetryInfoSchema);
  const delayMs = Number(retry?.retryDelay?.seconds) * 1000 + Number(retry?.retryDelay?.nanos) / 1e6;
  assert.ok(delayMs >= 100 && delayMs <= 1_500, `${delayMs}`);
  assert.equal(reason.metadata.get('grpc-retry-pushback-ms'), String(delayMs), protocol);
  assert.equal(reason.metadata.get('retry-after'), String(Math.ceil(delayMs / 1000)));
}

const grpc: Wire = { protocol: 'grpc', http: '2' };

it('refused calls have few lines in the log, and no fault', async (t) => {
  const [methods, { limits }] = burning();
  const serving = await serve(t, methods, { limits: { ...limits, maxRefusedLinesPerSecond: 2 } });
  await flood(serving, grpc);
  await serving.line(({ message }) => message === 'more calls were refused');
});

it('refused calls are counted, those of which no call was made too', async (t) => {
  const metrics = new Metrics();
  const [methods, options] = burning();
  const serving = await serve(t, methods, { ...options, telemetry: { metrics } });
  const outcomes = await flood(serving, grpc);
  const refused = outcomes.filter(({ outcome }) => outcome.status === 'rejected').length;
  assert.ok(refused > 0);
  const unavailable = () =>
    countOf(metrics, 'rpc.server.call.duration', { 'rpc.status_code': 'UNAVAILABLE' });
  // What was refused early is counted at the end of the turn.
  assert.ok(await eventually(() => unavailable() >= refused));
  assert.equal(unavailable(), refused);
  assert.equal(figureOf(metrics, 'rpc.server.refusals', { reason: 'OVERLOADED' }), refused);
});

it('once the load is over, nothing is refused', async (t) => {
  const serving = await serve(t, ...burning());
  const echo = echoOf(serving, grpc);
  await flood(serving, grpc);
  // The loop waits for each answer.
  let isRefused = true;
  for (let tries = 0; isRefused && tries < 200; tries++) {
    isRefused = await echo.unary({ text: '' }).then(
      () => false,
      () => true,
    );
  }
  assert.equal(isRefused, false);
});

it('nothing is refused where that is off', async (t) => {
  const serving = await serve(t, ...burning({ overloadTurnMs: 0 }));
  for (const { outcome } of await flood(serving, grpc, 3)) {
    assert.equal(outcome.status, 'fulfilled');
  }
});
