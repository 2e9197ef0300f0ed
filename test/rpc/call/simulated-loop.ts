import type { ConnectError } from '@connectrpc/connect';
import { Admission, type LoopClock } from '../../../functions/rpc/call/admission.ts';

/** Calls that come in a time. */
export interface Phase {
  readonly durationMs: number;
  readonly callsPerMs: number;
}

/** A call that has come. */
export interface Came {
  readonly atMs: number;
  readonly isRefused: boolean;
  /** From its coming to the end of the turn that has done it. */
  readonly tookMs: number;
}

/** What calls take of the loop. */
export interface Costs {
  readonly callMs: number;
  readonly refusalMs: number;
  /** A turn that is held up by something else, and how long. */
  readonly hold?: (turn: number) => number;
  /** Is given what refused calls are told. */
  readonly told?: (error: ConnectError) => void;
}

/**
 * Runs admission in a loop whose clock is the test's own: each turn takes all calls that have come by its beginning,
 * and where there are none the loop waits.
 */
export function simulate(
  phases: readonly Phase[],
  costs: Costs,
  limits: { readonly overloadTurnMs: number },
): Came[] {
  let nowMs = 1_000;
  let idleMs = 0;
  const endOfTurn: (() => void)[] = [];
  const loop: LoopClock = {
    now: () => nowMs,
    idleMs: () => idleMs,
    atEndOfTurn: (done) => endOfTurn.push(done),
  };
  const admission = new Admission(limits, loop);
  const due: number[] = [];
  let startMs = nowMs;
  for (const { durationMs, callsPerMs } of phases) {
    for (let call = 0; call < durationMs * callsPerMs; call++) due.push(startMs + call / callsPerMs);
    startMs += durationMs;
  }
  const came: Came[] = [];
  for (let next = 0, turn = 0; next < due.length; turn++) {
    const first = due[next] ?? nowMs;
    if (first > nowMs) {
      idleMs += first - nowMs;
      nowMs = first;
    }
    const readAtMs = nowMs;
    const read: { readonly atMs: number; readonly isRefused: boolean }[] = [];
    for (let atMs = due[next]; atMs !== undefined && atMs <= readAtMs; atMs = due[++next]) {
      const error = admission.refusal(nowMs, Number.POSITIVE_INFINITY);
      const isRefused = error !== undefined;
      if (error !== undefined) costs.told?.(error);
      nowMs += isRefused ? costs.refusalMs : costs.callMs;
      read.push({ atMs, isRefused });
    }
    nowMs += costs.hold?.(turn) ?? 0;
    for (const done of endOfTurn.splice(0)) done();
    for (const it of read) came.push({ ...it, tookMs: nowMs - it.atMs });
  }
  return came;
}
