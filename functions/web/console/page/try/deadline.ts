const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

/**
 * Reads a deadline such as `5s`, `300ms` or `2m`; a number alone is in seconds. Its ms, or `undefined` if it is none.
 */
export function parseDeadlineMs(text: string): number | undefined {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)\s*(ms|s|m)?$/.exec(text.trim()) ?? [];
  const ms = Number(digits) * (unitsMs[unit] ?? Number.NaN);
  return ms > 0 && Number.isFinite(ms) ? ms : undefined;
}
