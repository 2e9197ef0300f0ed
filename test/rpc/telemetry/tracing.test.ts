// Proves whose trace a call belongs to, and which are sampled: by the ratio, by the caller up to a limit that no
// stranger gets past, and the same ones everywhere.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RateLimit } from '../../../functions/rpc/telemetry/rate-limit.ts';
import { newSpanId, newTraceId } from '../../../functions/rpc/telemetry/trace-ids.ts';
import { Tracing } from '../../../functions/rpc/telemetry/tracing.ts';

const callerSpan = (isSampled: boolean, traceId = newTraceId()) => ({
  traceparent: `00-${traceId}-${newSpanId()}-${isSampled ? '01' : '00'}`,
});
const amazon = { 'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678' };
const many = 2_000;
/** How many of so many calls are sampled. */
const sampledOf = (tracing: Tracing, headers: () => Record<string, string>) =>
  Array.from({ length: many }, () => tracing.begin(headers(), false)).filter((it) => it.isSampled).length;

describe('a call', () => {
  it('of a caller with a span is a part of its trace', () => {
    const headers = callerSpan(true);
    const trace = new Tracing({ followsParents: true, ratio: 0 }).begin(headers, false);
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
      new Tracing({ ...options, ratio }).begin(callerSpan(false, `0af7651916cd43dd84${last56}`), false)
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
      // The calls may fall into a few seconds.
      assert.ok(sampled >= 10 && sampled <= 100, String(sampled));
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
