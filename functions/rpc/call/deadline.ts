import type { RpcLimits } from '../limits.ts';

/**
 * The time a call gets: what the client asks for, or the default, and never more than the cap.
 * Clamped, not refused: a client that is more patient than we are does nothing wrong.
 */
export function clampDeadlineMs(
  requestedMs: number | undefined,
  limits: Pick<RpcLimits, 'defaultDeadlineMs' | 'maxDeadlineMs'>,
): number {
  return Math.min(requestedMs ?? limits.defaultDeadlineMs, limits.maxDeadlineMs);
}
