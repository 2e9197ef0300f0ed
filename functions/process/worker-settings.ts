import { availableParallelism } from 'node:os';
import type { Settings } from './settings.ts';

/** More processes than any machine has cores are a slip. */
const maxWorkers = 256;

/**
 * Reads WORKERS (1): how many processes serve. `auto` is as many as there are cores for this process, the quota of a
 * container included. A bad value becomes a problem of the settings, and counts as 1.
 */
export function readWorkers(settings: Settings): number {
  const text = settings.text('WORKERS');
  if (text === 'auto') return availableParallelism();
  const count = /^\d+$/.test(text ?? '1') ? Number(text ?? 1) : 0;
  if (count >= 1 && count <= maxWorkers) return count;
  settings.refuse('WORKERS', `auto or a whole number from 1 to ${maxWorkers}`);
  return 1;
}

/** Refuses WORKERS, whatever number `auto` is here, beside a setting that several processes can't have. */
export function refuseWorkers(settings: Settings, beside: string, reason: string): void {
  const text = settings.text('WORKERS') ?? '1';
  if (text === 'auto' || Number(text) > 1) settings.problem(`WORKERS must be 1 with ${beside}: ${reason}`);
}
