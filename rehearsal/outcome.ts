import type { Outcome } from './service.ts';

/** Problems of a deployment that is to stay, a line each: it must have replaced something, and be complete. */
export function mustComplete(outcomes: readonly Outcome[]): string[] {
  if (outcomes.length === 0) return ['no service was deployed'];
  return outcomes.flatMap((it) => (it.isComplete ? [] : [`rolled back: ${it.reason}`]));
}

/** What brings a former version back: how the reason of an outcome begins. */
export type Guard = 'the alarm' | 'the circuit breaker';

/** Problems of a deployment that must not stay, a line each: the guard must have brought every service back. */
export function mustRollBackBy(guard: Guard, outcomes: readonly Outcome[]): string[] {
  if (outcomes.length === 0) return ['no service was deployed'];
  return outcomes.flatMap(({ isComplete, reason = '' }) => {
    if (isComplete) return ['the version stayed: nothing rolled it back'];
    return reason.startsWith(`${guard} `) || reason.startsWith(`${guard}:`)
      ? []
      : [`rolled back by something else than ${guard}: ${reason}`];
  });
}
