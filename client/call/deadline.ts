import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';

/**
 * The longest time that Node's timers can wait, in whole seconds, 24.8 days; they take a longer one for 1 ms
 * (https://nodejs.org/api/timers.html#settimeoutcallback-delay-args).
 */
export const maxTimerMs = 2_147_483_000;

/** The point in time at which a call is given up, all its attempts and waits included. */
export interface Deadline {
  /** What it was when the call began. */
  readonly timeoutMs: number;
  /** What is left of it: more than zero, since connect takes zero for "no deadline". */
  remainingMs(): number;
}

/**
 * A deadline that many milliseconds from now, or the longest there can be. 0, undefined and Infinity mean that there is
 * none.
 *
 * @throws ConnectError DEADLINE_EXCEEDED if it has passed already, INVALID_ARGUMENT if it is not a number.
 */
export function deadlineAfter(timeoutMs: number | undefined): Deadline | undefined {
  if (timeoutMs === undefined || timeoutMs === 0 || timeoutMs === Number.POSITIVE_INFINITY) return undefined;
  if (Number.isNaN(timeoutMs)) throw new ConnectError('the deadline is not a number', Code.InvalidArgument);
  if (timeoutMs < 0) throw new ConnectError('the deadline had already passed', Code.DeadlineExceeded);
  const total = Math.min(timeoutMs, maxTimerMs);
  const start = performance.now();
  return {
    timeoutMs: total,
    remainingMs: () => Math.max(total - (performance.now() - start), 0.001),
  };
}

/**
 * Sends deadlines as the protocols want them: connect-es 2.2.0 writes fractions of a millisecond and any number of
 * digits into `grpc-timeout`, which allows 8 digits and a unit
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests).
 */
export const exactTimeout: Interceptor = (next) => (request) => {
  const grpc = request.header.get('grpc-timeout');
  if (grpc !== null) request.header.set('grpc-timeout', grpcTimeout(Number.parseFloat(grpc)));
  const connect = request.header.get('connect-timeout-ms');
  if (connect !== null) request.header.set('connect-timeout-ms', String(Math.ceil(Number(connect))));
  return next(request);
};

function grpcTimeout(ms: number): string {
  if (ms < 1_000 && !Number.isInteger(ms)) return `${Math.ceil(ms * 1000)}u`;
  return ms <= 99_999_999 ? `${Math.ceil(ms)}m` : `${Math.ceil(ms / 1000)}S`;
}
