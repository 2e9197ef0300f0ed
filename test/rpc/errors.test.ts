// Proves that refusing costs no new error each time: of each time that a caller is told to wait there is one, of few
// times, none shorter than what is left, none much longer; and that calls leave nothing in errors that others share.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Code, type ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { lastingErrors, quotaExceeded, tooManyCalls, tooManyWatches } from '../../functions/rpc/errors.ts';
import { RetryInfoSchema } from '../../functions/rpc/index.ts';
import { endsWith } from '../support/outcome.ts';
import { nameOf, wires } from '../support/transports.ts';
import { echoOf, serve } from './echo.ts';

const dayMs = 86_400_000;

function toldMs({ details }: ConnectError): number {
  const detail = details.find((it) => 'desc' in it && it.desc === RetryInfoSchema);
  assert.ok(detail && 'desc' in detail && detail.desc === RetryInfoSchema);
  const { seconds, nanos } = create(RetryInfoSchema, detail.value).retryDelay ?? assert.fail();
  return Number(seconds) * 1_000 + nanos / 1e6;
}

describe('the error of a quota', () => {
  it('is one for each of few times, and says one that is long enough, up to a day', () => {
    const made = new Set<ConnectError>();
    const waits = fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 2 * dayMs }));
    const property = fc.property(waits, (waitMs) => {
      const error = quotaExceeded(waitMs);
      made.add(error);
      assert.equal(quotaExceeded(waitMs), error);
      assert.ok(lastingErrors.has(error));
      assert.ok(toldMs(error) >= Math.min(waitMs, dayMs) && toldMs(error) <= dayMs);
      assert.ok(toldMs(error) <= Math.max(10, 2.5 * waitMs), `${toldMs(error)} for ${waitMs}`);
      assert.equal(Number(error.metadata.get('retry-after')), Math.ceil(toldMs(error) / 1_000));
    });
    fc.assert(property, { numRuns: 2_000 });
    assert.ok(made.size <= 30, `${made.size} errors`);
    assert.equal(toldMs(quotaExceeded(Number.POSITIVE_INFINITY)), dayMs);
  });

  it('says what is one of the times as it is', () => {
    for (const waitMs of [10, 500, 1_000, 30_000, 60_000, dayMs])
      assert.equal(toldMs(quotaExceeded(waitMs)), waitMs);
  });
});

describe('errors of too much', () => {
  it('last', () => {
    for (const error of [tooManyCalls(), tooManyWatches()]) assert.ok(lastingErrors.has(error));
  });

  for (const wire of wires) {
    it(`hold nothing of the calls that they have ended, over ${nameOf(wire)}`, async (t) => {
      const limits = { tokensPerSecondPerCaller: 1, maxTokensPerCaller: 1 };
      const serving = await serve(t, { unary: () => ({}) }, { limits, now: () => 0 });
      const echo = echoOf(serving, wire);
      await echo.unary({});
      const shared = quotaExceeded(1_000);
      const before = [...shared.metadata].join();
      const requestIds: (string | null)[] = [];
      for (let calls = 0; calls < 2; calls++) {
        const { metadata } = await endsWith(Code.ResourceExhausted, echo.unary({}));
        requestIds.push(metadata.get('x-request-id'));
      }
      assert.equal(new Set(requestIds).size, 2);
      assert.deepEqual(
        [[...shared.metadata].join(), shared.cause, shared.details.length],
        [before, undefined, 2],
      );
    });
  }
});
