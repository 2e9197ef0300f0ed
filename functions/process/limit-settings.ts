import type { Limits } from '../limits.ts';

/** The limits where zero makes sense: it means at once, never, none or all, as their names say. */
const mayBeZero: ReadonlySet<string> = new Set<keyof Limits>([
  'compressMinBytes',
  'drainDelayMs',
  'drainTimeoutMs',
  'maxQueuedHashes',
  'readAheadChunks',
  'sqliteBusyTimeoutMs',
]);

/** Node fires a timer of more ms at once, and takes no more for its sizes. */
const maxNumber = 2 ** 31 - 1;

/** The environment variable that sets a limit: `drainTimeoutMs` is set by DRAIN_TIMEOUT_MS. */
export function limitVariable(name: string): string {
  return name.replace('MiB', 'Mib').replaceAll(/[A-Z]/g, '_$&').toUpperCase();
}

/** The values that a limit may be set to, both ends included. */
export function limitRange(name: string): { readonly from: number; readonly to: number } {
  // How long a request id is remembered is a date in the store, not a timer.
  return {
    from: mayBeZero.has(name) ? 0 : 1,
    to: name === 'requestIdTtlMs' ? Number.MAX_SAFE_INTEGER : maxNumber,
  };
}

/** Reads the limits that the environment sets over the defaults. What is wrong is added to the problems. */
export function readLimits(
  env: Readonly<Record<string, string | undefined>>,
  defaults: Limits,
  problems: string[],
): Limits {
  const limits = { ...defaults };
  for (const name of keysOf(defaults)) {
    const variable = limitVariable(name);
    const value = env[variable];
    if (!value) continue;
    const { from, to } = limitRange(name);
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= from && number <= to) limits[name] = number;
    else problems.push(`${variable} must be a whole number from ${from} to ${to}, not "${value}"`);
  }
  const { defaultDeadlineMs, maxDeadlineMs } = limits;
  // Who lowers the cap alone means every call; who sets both must have mistaken one.
  if (!env[limitVariable('defaultDeadlineMs')]) {
    limits.defaultDeadlineMs = Math.min(defaultDeadlineMs, maxDeadlineMs);
  } else if (defaultDeadlineMs > maxDeadlineMs) {
    problems.push(
      `DEFAULT_DEADLINE_MS (${defaultDeadlineMs}) must not be above MAX_DEADLINE_MS (${maxDeadlineMs})`,
    );
  }
  const { handshakeTimeoutMs, requestTimeoutMs } = limits;
  // A part can't take longer than the whole; node refuses it.
  if (handshakeTimeoutMs > requestTimeoutMs) {
    problems.push(
      `HANDSHAKE_TIMEOUT_MS (${handshakeTimeoutMs}) must not be above REQUEST_TIMEOUT_MS (${requestTimeoutMs})`,
    );
  }
  return limits;
}

/** `Object.keys` would lose the type. */
function keysOf<T extends object>(object: T): Extract<keyof T, string>[] {
  const keys: Extract<keyof T, string>[] = [];
  for (const key in object) keys.push(key);
  return keys;
}
