import { type RpcLimits, rpcLimitPairs } from '../rpc/index.ts';
import type { Settings } from './settings.ts';

/** The values that a limit may be set to, both ends included. */
export interface LimitRange {
  readonly from: number;
  readonly to: number;
}

/** What is different for a limit whose values are not the usual ones: `from` is usually 1, `to` 2^31 - 1. */
export type LimitRanges<L> = { readonly [Name in keyof L]?: Partial<LimitRange> };

/** Pairs of limits: the first can't be above the second, which holds for all that the first is a part of. */
export type LimitPairs<L> = readonly (readonly [part: keyof L, whole: keyof L])[];

/** Node fires a timer of more ms at once, and takes no larger sizes. */
const usualRange: LimitRange = { from: 1, to: 2 ** 31 - 1 };

/** The environment variable that sets a limit: `drainTimeoutMs` is set by DRAIN_TIMEOUT_MS. */
export function limitVariable(name: string): string {
  return name.replace('MiB', 'Mib').replaceAll(/[A-Z]/g, '_$&').toUpperCase();
}

/** The values that a limit may be set to. */
export function limitRange<L>(name: keyof L, ranges: LimitRanges<L>): LimitRange {
  return { ...usualRange, ...ranges[name] };
}

/**
 * Reads the limits: those that the settings set, else the defaults. A value that is out of range becomes a problem of
 * the settings, and so do two that contradict each other.
 *
 * @param pairs looked at where both are set: one that is set alone may be beyond the default of the other, as ever, and
 * then the smaller one bounds both
 */
export function readLimits<L extends RpcLimits>(
  settings: Settings,
  defaults: L,
  ranges: LimitRanges<L>,
  pairs: LimitPairs<L> = rpcLimitPairs,
): L {
  const changed: Partial<Record<keyof L, number>> = {};
  for (const name in defaults) {
    const value = settings.wholeNumber(limitVariable(name), limitRange(name, ranges));
    if (value !== undefined) changed[name] = value;
  }
  const limits: L = { ...defaults, ...changed };
  for (const [part, whole] of pairs) {
    const [ofPart, ofWhole] = [changed[part], changed[whole]];
    if (ofPart === undefined || ofWhole === undefined || ofPart <= ofWhole) continue;
    settings.problem(
      `${limitVariable(String(part))} (${ofPart}) must not be above ${limitVariable(String(whole))} (${ofWhole})`,
    );
  }
  const { defaultDeadlineMs, maxDeadlineMs, handshakeTimeoutMs, requestTimeoutMs } = limits;
  // A part can't take longer than the whole; node refuses it.
  if (handshakeTimeoutMs > requestTimeoutMs) {
    settings.problem(
      `HANDSHAKE_TIMEOUT_MS (${handshakeTimeoutMs}) must not be above REQUEST_TIMEOUT_MS (${requestTimeoutMs})`,
    );
  }
  // A lower cap alone is meant for every call. If both are set, one must be a mistake.
  if (changed.defaultDeadlineMs === undefined) {
    return { ...limits, defaultDeadlineMs: Math.min(defaultDeadlineMs, maxDeadlineMs) };
  }
  if (defaultDeadlineMs > maxDeadlineMs) {
    settings.problem(
      `DEFAULT_DEADLINE_MS (${defaultDeadlineMs}) must not be above MAX_DEADLINE_MS (${maxDeadlineMs})`,
    );
  }
  return limits;
}
