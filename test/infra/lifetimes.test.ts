// Proves that whatever lifetimes GrpcService takes are in an order in which nobody closes what another still uses, and
// that those it refuses are refused with a sentence that names the prop to change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Duration } from 'aws-cdk-lib';
import fc from 'fast-check';
import { healthCheck, type LifetimesProps, lifetimes } from '../../infra/lifetimes.ts';

const duration = (maxSeconds: number) =>
  fc.option(
    fc.integer({ min: 1, max: maxSeconds }).map((seconds) => Duration.seconds(seconds)),
    { nil: undefined },
  );

test('the order holds for whatever is taken, and a refusal says what to change', () => {
  let taken = 0;
  const anyLifetimes: fc.Arbitrary<LifetimesProps> = fc.record({
    maxDeadline: duration(5000),
    idleTimeout: duration(5000),
    deregistrationDelay: duration(5000),
    stopTimeout: duration(150),
  });
  fc.assert(
    fc.property(anyLifetimes, (props) => {
      let result: ReturnType<typeof lifetimes>;
      try {
        result = lifetimes(props);
      } catch (error) {
        assert(error instanceof RangeError);
        assert.match(
          error.message,
          /^(idleTimeout|deregistrationDelay|stopTimeout) \(\d.* seconds\) .*(: (raise|lower)|must be at least)/,
        );
        return;
      }
      taken++;
      const { idleTimeout, deregistrationDelay, stopTimeout, environment } = result;
      const deadlineMs = Number(environment.MAX_DEADLINE_MS);
      const drainDelayMs = Number(environment.DRAIN_DELAY_MS);
      assert(deadlineMs < idleTimeout.toMilliseconds());
      assert(idleTimeout.toMilliseconds() < Number(environment.IDLE_TIMEOUT_MS));
      assert(idleTimeout.toSeconds() <= 4000);
      assert(deregistrationDelay.toMilliseconds() >= deadlineMs);
      assert(deregistrationDelay.toSeconds() <= 3600);
      const { interval, threshold, timeout } = healthCheck;
      assert(drainDelayMs >= interval.toMilliseconds() * threshold + timeout.toMilliseconds());
      assert(Number(environment.DRAIN_TIMEOUT_MS) >= 1000);
      assert(drainDelayMs + Number(environment.DRAIN_TIMEOUT_MS) < stopTimeout.toMilliseconds());
      assert(stopTimeout.toSeconds() <= 120);
    }),
    { numRuns: 2000 },
  );
  assert(taken > 100, `only ${taken} of 2000 were taken: the property says little`);
});

test('each contradiction has its sentence', () => {
  const seconds = Duration.seconds;
  const refused: [LifetimesProps, RegExp][] = [
    [
      { idleTimeout: seconds(60) },
      /^idleTimeout \(60 seconds\) must be longer than maxDeadline \(300 seconds\)/,
    ],
    [{ maxDeadline: seconds(3990) }, /^idleTimeout \(4020 seconds\) is over the 4000 seconds/],
    [
      { deregistrationDelay: seconds(30) },
      /^deregistrationDelay \(30 seconds\) must not be shorter than maxDeadline/,
    ],
    [
      { maxDeadline: seconds(3800), idleTimeout: seconds(3900) },
      /^deregistrationDelay \(3800 seconds\) is over the 3600/,
    ],
    [
      { stopTimeout: seconds(121) },
      /^stopTimeout \(121 seconds\) is over the 120 seconds that Fargate allows/,
    ],
    [
      { stopTimeout: seconds(18) },
      /^stopTimeout \(18 seconds\) leaves running calls no time: .* at least 19 seconds/,
    ],
  ];
  for (const [props, message] of refused)
    assert.throws(() => lifetimes(props), { name: 'RangeError', message });
});
