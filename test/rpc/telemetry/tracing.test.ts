// Proves whose trace a call belongs to, and which are sampled: by the ratio, and the same ones everywhere; by the
// caller up to a limit that strangers do not touch and no caller uses up; and few of the calls that nothing meters.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RateLimit, SharedRateLimit } from '../../../functions/rpc/telemetry/rate-limit.ts';
import { newSpanId, newTraceId } from '../../../functions/rpc/telemetry/trace-ids.ts';
import { Tracing } from '../../../functions/rpc/telemetry/tracing.ts';

const callerSpan = (isSampled: boolean, traceId = newTraceId()) => ({
  traceparent: `00-${traceId}-${newSpanId()}-${isSampled ? '01' : '00'}`,
});
const amazon = { 'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678' };
const many = 2_000;

/** The trace of a call that is let in. */
function admitted(tracing: Tracing, headers: Record<string, string>, client = 'key:a', isStranger = false) {
  const trace = tracing.begin(headers, false);
  tracing.admitted(trace, client, isStranger);
  return trace;
}

function refused(tracing: Tracing, headers: Record<string, string>, isStranger: boolean) {
  const trace = tracing.begin(headers, false);
  tracing.refused(trace, isStranger);
  return trace;
}

/** How many of so many calls are sampled. */
const sampledOf = (
  tracing: Tracing,
  headers: () => Record<string, string>,
  make: (tracing: Tracing, headers: Record<string, string>) => { isSampled: boolean } = admitted,
) => Array.from({ length: many }, () => make(tracing, headers())).filter((it) => it.isSampled).length;

describe('a call', () => {
  it('of a caller with a span is a part of its trace', () => {
    const headers = callerSpan(true);
    const trace = admitted(new Tracing({ followsParents: true, ratio: 0 }), headers);
    const [, traceId, spanId] = headers.traceparent.split('-');
    assert.equal(trace.traceId, traceId);
    assert.equal(trace.parent?.spanId, spanId);
    assert.equal(trace.link, undefined);
    assert.notEqual(trace.spanId, spanId);
    assert.ok(trace.isSampled);
  });

  it('behind a load balancer is in its trace, without a parent', () => {
    const trace = new Tracing({ followsParents: true, ratio: 1 }).begin(amazon, false);
    assert.equal(trace.traceId, '67891233abcdef012345678912345678');
    assert.equal(trace.parent, undefined);
  });

  it('of a caller that is linked begins a trace, which the ratio decides', () => {
    const headers = callerSpan(true);
    const trace = new Tracing({ followsParents: false, ratio: 0 }).begin(headers, false);
    assert.equal(trace.link?.traceId, headers.traceparent.split('-')[1]);
    assert.notEqual(trace.traceId, trace.link?.traceId);
    assert.equal(trace.parent, undefined);
    assert.ok(!trace.isSampled);
    assert.ok(!trace.isOfCaller);
  });

  it('within the process is a part of the call that makes it, whatever the settings', () => {
    const tracing = new Tracing({ followsParents: false, ratio: 0, maxRemoteSampledPerSecond: 0 });
    const headers = callerSpan(true);
    const trace = tracing.begin(headers, true);
    assert.equal(trace.traceId, headers.traceparent.split('-')[1]);
    assert.ok(trace.isSampled && trace.isOfCaller);
  });
});

describe('the ratio', () => {
  it('takes all, none, or that part', () => {
    const sampled = (ratio: number) => sampledOf(new Tracing({ followsParents: true, ratio }), () => ({}));
    assert.equal(sampled(1), many);
    assert.equal(sampled(0), 0);
    const half = sampled(0.5);
    // Ten standard deviations.
    assert.ok(Math.abs(half - many / 2) < 10 * Math.sqrt(many / 4), String(half));
  });

  it('takes by the last 56 bits of the id, as OpenTelemetry does', () => {
    const options = { followsParents: true, followsDecisions: false, maxRemoteSampledPerSecond: many };
    const isTaken = (ratio: number, last56: string) =>
      admitted(new Tracing({ ...options, ratio }), callerSpan(false, `0af7651916cd43dd84${last56}`))
        .isSampled;
    assert.ok(isTaken(0.25, 'c0000000000000'));
    assert.ok(!isTaken(0.25, 'bfffffffffffff'));
    assert.ok(isTaken(0.5, '80000000000000'));
    assert.ok(!isTaken(0.5, '7fffffffffffff'));
  });
});

describe('a caller that is followed', () => {
  it('decides, where the ratio is only for others', () => {
    const tracing = new Tracing({ followsParents: true, ratio: 1 });
    assert.equal(
      sampledOf(tracing, () => callerSpan(false)),
      0,
    );
  });

  it('does not, where the ratio is for all', () => {
    const tracing = new Tracing({ followsParents: true, followsDecisions: false, ratio: 0 });
    assert.equal(
      sampledOf(tracing, () => callerSpan(true)),
      0,
    );
  });

  it('has no more recorded than the limit, by the flag or by ids that it chooses', () => {
    const limit = { followsParents: true, maxRemoteSampledPerSecond: 10 };
    const chosen = 'f'.repeat(32);
    for (const [tracing, headers] of [
      [new Tracing({ ...limit, ratio: 0 }), () => callerSpan(true)],
      [new Tracing({ ...limit, ratio: 1e-6, followsDecisions: false }), () => callerSpan(true, chosen)],
    ] as const) {
      const sampled = sampledOf(tracing, headers);
      // Some are left to other callers; and the calls may fall into a few seconds.
      assert.ok(sampled >= 7 && sampled <= 100, String(sampled));
    }
  });

  it('leaves the ratio to others beyond the limit', () => {
    const tracing = new Tracing({ followsParents: true, ratio: 1, maxRemoteSampledPerSecond: 0 });
    assert.equal(
      sampledOf(tracing, () => callerSpan(true)),
      many,
    );
  });
});

describe('calls that nothing meters', () => {
  const followed = { followsParents: true, maxRemoteSampledPerSecond: 10 };
  const all = () => new Tracing({ ...followed, ratio: 1 });
  const none = () => new Tracing({ ...followed, ratio: 0 });
  const few = (sampled: number) => assert.ok(sampled >= 10 && sampled <= 100, String(sampled));
  const ways = [
    [
      'refused ones of strangers',
      (it: Tracing, headers: Record<string, string>) => refused(it, headers, true),
    ],
    ['refused ones of others', (it: Tracing, headers: Record<string, string>) => refused(it, headers, false)],
    [
      'those of strangers who are let in',
      (it: Tracing, headers: Record<string, string>) => admitted(it, headers, '::1', true),
    ],
  ] as const;
  for (const [what, make] of ways) {
    it(`are seldom sampled, whatever is asked for and whatever the ratio: ${what}`, () => {
      few(sampledOf(all(), () => ({}), make));
      few(sampledOf(all(), () => callerSpan(true), make));
      few(sampledOf(none(), () => callerSpan(true), make));
    });

    it(`take nothing of what known callers may have sampled: ${what}`, () => {
      const tracing = none();
      sampledOf(tracing, () => callerSpan(true), make);
      assert.ok(admitted(tracing, callerSpan(true)).isSampled);
    });
  }

  it('of strangers take nothing of those of others', () => {
    const tracing = all();
    sampledOf(
      tracing,
      () => ({}),
      (it, headers) => refused(it, headers, true),
    );
    assert.ok(refused(tracing, {}, false).isSampled);
  });
});

it('no caller uses up what others may have sampled', () => {
  const tracing = new Tracing({ followsParents: true, ratio: 0 });
  const greedy = sampledOf(tracing, () => callerSpan(true));
  assert.ok(greedy >= 75, String(greedy));
  assert.ok(admitted(tracing, callerSpan(true), 'key:b').isSampled);
});

it('behind a load balancer chance decides, whatever id its client has chosen', () => {
  const chosen = () => ({ 'x-amzn-trace-id': `Root=1-ffffffff-${'f'.repeat(24)}` });
  const sampled = (ratio: number) =>
    sampledOf(new Tracing({ followsParents: true, ratio, maxRemoteSampledPerSecond: 0 }), chosen);
  assert.ok(sampled(1e-6) <= 1);
  const half = sampled(0.5);
  assert.ok(Math.abs(half - many / 2) < 10 * Math.sqrt(many / 4), String(half));
  assert.equal(sampled(1), many);
});

it('a rate limit admits so many each second', () => {
  const limit = new RateLimit(2);
  const admitted = [0, 1, 999, 1000, 1500, 1999, 5000].map((nowMs) => limit.admits(nowMs));
  assert.deepEqual(admitted, [true, true, false, true, true, false, true]);
});

describe('a rate limit that clients share', () => {
  const admittedOf = (limit: SharedRateLimit, clients: readonly string[], nowMs = 0) =>
    clients.map((client) => limit.admits(client, nowMs)).filter((it) => it).length;
  const times = (count: number, client: string) => Array.from({ length: count }, () => client);

  it('leaves a quarter to others, and so on, and begins anew each second', () => {
    const limit = new SharedRateLimit(100);
    for (const nowMs of [0, 1000]) {
      assert.equal(admittedOf(limit, times(200, 'a'), nowMs), 75);
      assert.equal(admittedOf(limit, times(200, 'b'), nowMs), 19);
      assert.equal(admittedOf(limit, times(200, 'c'), nowMs), 5);
      assert.equal(admittedOf(limit, times(200, 'd'), nowMs), 1);
      assert.equal(admittedOf(limit, times(200, 'e'), nowMs), 0);
    }
  });

  it('gives equal ones the same', () => {
    const limit = new SharedRateLimit(100);
    const clients = ['a', 'b', 'c', 'd'];
    const turns = Array.from({ length: 100 }, () => clients).flat();
    const had = turns.filter((client) => limit.admits(client, 0));
    const counts = clients.map((client) => had.filter((it) => it === client).length);
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, String(counts));
  });

  it('of none admits nobody', () => {
    assert.ok(!new SharedRateLimit(0).admits('a', 0));
  });
});
