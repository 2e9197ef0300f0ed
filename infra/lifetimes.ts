import { Duration } from 'aws-cdk-lib';
import { limits } from '../functions/limits.ts';

/** How long things last on the way from a client to a task. What is left out follows from what is given. */
export interface LifetimesProps {
  /**
   * The longest deadline a call may have; the container gets it as `MAX_DEADLINE_MS`.
   * @default limits.maxDeadlineMs, 300 seconds
   */
  readonly maxDeadline?: Duration;
  /**
   * After how long without a byte the load balancer ends a call or closes a connection. A stream may be silent for
   * as long as its deadline, so it is longer than that; at most 4000 seconds.
   * @default 30 seconds longer than `maxDeadline`
   */
  readonly idleTimeout?: Duration;
  /**
   * How long calls that run on a task may go on once the task gets no new ones.
   * @default `maxDeadline`: a deployment cuts off no call
   */
  readonly deregistrationDelay?: Duration;
  /**
   * From SIGTERM to SIGKILL; Fargate allows 120 seconds.
   * @default 120 seconds
   */
  readonly stopTimeout?: Duration;
}

/** The load balancer's checks whether a task is healthy: a task that fails `threshold` of them gets no calls. */
export const healthCheck = {
  interval: Duration.seconds(5),
  timeout: Duration.seconds(3),
  threshold: 2,
};

/** What is left of `stopTimeout` for the process to end once everything is drained. */
const exitMarginMs = 5_000;

/** All lifetimes, in an order that fits; the container's own are in `environment`. */
export interface Lifetimes {
  readonly idleTimeout: Duration;
  readonly deregistrationDelay: Duration;
  readonly stopTimeout: Duration;
  /** For `functions/limits.ts`, in the container. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Orders the lifetimes so that nobody closes what another still uses:
 *
 * - a deadline passes before the load balancer's idle timeout, so clients see DEADLINE_EXCEEDED, not a cut stream;
 * - the load balancer's idle timeout passes before the server's, else it sends a call on a connection that the server
 *   is closing, and the client sees 502;
 * - deregistration takes as long as the longest call: ECS sends SIGTERM only after it;
 * - where SIGTERM comes without it, the server goes on serving until failing health checks are noticed, then lets calls
 *   finish, then exits, all before SIGKILL.
 *
 * @throws RangeError with what to change, when the given lifetimes contradict each other
 */
export function lifetimes(props: LifetimesProps): Lifetimes {
  const maxDeadline = props.maxDeadline ?? Duration.millis(limits.maxDeadlineMs);
  const idleTimeout = props.idleTimeout ?? maxDeadline.plus(Duration.seconds(30));
  const deregistrationDelay = props.deregistrationDelay ?? maxDeadline;
  const stopTimeout = props.stopTimeout ?? Duration.seconds(120);
  const drainDelay = Duration.seconds(
    healthCheck.interval.toSeconds() * healthCheck.threshold + healthCheck.timeout.toSeconds(),
  );
  const drainTimeoutMs = stopTimeout.toMilliseconds() - drainDelay.toMilliseconds() - exitMarginMs;

  const seconds = (duration: Duration) => `${duration.toSeconds({ integral: false })} seconds`;
  if (idleTimeout.toMilliseconds() <= maxDeadline.toMilliseconds()) {
    throw new RangeError(
      `idleTimeout (${seconds(idleTimeout)}) must be longer than maxDeadline (${seconds(maxDeadline)}), ` +
        'or the load balancer cuts off calls that wait: raise idleTimeout or lower maxDeadline',
    );
  }
  if (idleTimeout.toMilliseconds() > 4_000_000) {
    throw new RangeError(
      `idleTimeout (${seconds(idleTimeout)}) is over the 4000 seconds that a load balancer takes: lower it, or maxDeadline`,
    );
  }
  if (deregistrationDelay.toMilliseconds() < maxDeadline.toMilliseconds()) {
    throw new RangeError(
      `deregistrationDelay (${seconds(deregistrationDelay)}) must not be shorter than maxDeadline ` +
        `(${seconds(maxDeadline)}), or a deployment cuts off calls: raise deregistrationDelay or lower maxDeadline`,
    );
  }
  if (deregistrationDelay.toMilliseconds() > 3_600_000) {
    throw new RangeError(
      `deregistrationDelay (${seconds(deregistrationDelay)}) is over the 3600 seconds that a target group takes: lower it, or maxDeadline`,
    );
  }
  if (stopTimeout.toMilliseconds() > 120_000) {
    throw new RangeError(
      `stopTimeout (${seconds(stopTimeout)}) is over the 120 seconds that Fargate allows: lower it`,
    );
  }
  if (drainTimeoutMs < 1_000) {
    const least = (drainDelay.toMilliseconds() + exitMarginMs + 1_000) / 1000;
    throw new RangeError(
      `stopTimeout (${seconds(stopTimeout)}) leaves running calls no time: it must be at least ${least} seconds, ` +
        `of which ${seconds(drainDelay)} pass until the health checks have noticed`,
    );
  }
  return {
    idleTimeout,
    deregistrationDelay,
    stopTimeout,
    environment: {
      MAX_DEADLINE_MS: String(maxDeadline.toMilliseconds()),
      IDLE_TIMEOUT_MS: String(idleTimeout.toMilliseconds() + 60_000),
      DRAIN_DELAY_MS: String(drainDelay.toMilliseconds()),
      DRAIN_TIMEOUT_MS: String(drainTimeoutMs),
    },
  };
}
