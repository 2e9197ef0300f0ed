import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import { defaults } from '../defaults.ts';
import { CallError } from './call-error.ts';
import { maxTimerMs } from './deadline.ts';
import { isMismatch, toCallError } from './failure.ts';

/** What a server says of its health (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
export type ServingStatus = keyof typeof Status;

/** The name of a status that came over the wire. */
export function servingStatus(status: Status): ServingStatus {
  // Protobuf enums are open: a newer server may send a number without a name.
  return (Status[status] as ServingStatus | undefined) ?? 'UNKNOWN';
}

/**
 * Waits until the server answers a health check with SERVING; a server without health checks is ready once it answers.
 *
 * @throws CallError UNAVAILABLE, with what was last seen, when the time is over; at once what waiting can't cure,
 * such as UNAUTHENTICATED or a certificate that is not trusted; CANCELLED when the signal aborts.
 */
export async function ready(
  transport: Transport,
  name: string,
  headers: Headers,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<void> {
  const { signal } = options;
  const timeoutMs = Math.min(options.timeoutMs ?? defaults.readyTimeoutMs, maxTimerMs);
  const health = createClient(Health, transport);
  const end = performance.now() + timeoutMs;
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
    let seen: CallError;
    try {
      const remainingMs = Math.max(end - performance.now(), 1);
      const { status } = await health.check({}, { timeoutMs: remainingMs, headers, signal });
      if (status === Status.SERVING) return;
      seen = toCallError(new ConnectError(`the server is ${servingStatus(status)}`, Code.Unavailable));
    } catch (reason) {
      seen = toCallError(reason);
      if (seen.code === Code.Unimplemented && seen.isWireError) return;
      const mayPass = seen.code === Code.Unavailable || seen.code === Code.DeadlineExceeded;
      if (!mayPass || isMismatch(seen)) throw seen;
    }
    if (performance.now() + pauseMs >= end) {
      const message = `could not connect to ${name} within ${timeoutMs} ms: ${seen.rawMessage}`;
      throw new CallError(seen, { message, code: Code.Unavailable });
    }
    await sleep(pauseMs, undefined, { signal }).catch((reason) => {
      throw toCallError(reason);
    });
  }
}
