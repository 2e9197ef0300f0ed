import { Settings } from './settings.ts';
import { type Running, runUntilSignal } from './signals.ts';
import { endWithFirstProcess, thisWorker } from './worker.ts';
import { readWorkers } from './worker-settings.ts';

/**
 * Runs a process until a signal, as `runUntilSignal` does, or as many of them as WORKERS says, which share the port.
 * Then this first process serves nothing itself: it starts the workers, which run the same program, starts those again
 * that die, passes signals on, and ends when they have ended.
 *
 * @param describe makes what is written to standard error if the start or the end fails; the process then exits with 1
 */
export async function runWorkersUntilSignal(
  start: () => Promise<Running>,
  describe: (error: unknown) => unknown,
): Promise<void> {
  if (thisWorker !== undefined) {
    const { default: cluster } = await import('node:cluster');
    const running = runUntilSignal(start, describe);
    endWithFirstProcess(cluster);
    return running;
  }
  // A bad number is told by the start of this process.
  const count = readWorkers(new Settings(process.env));
  if (count === 1) return runUntilSignal(start, describe);
  const { startWorkers, WorkersError } = await import('./worker-pool.ts');
  return runUntilSignal(
    () => startWorkers(count),
    (error) => (error instanceof WorkersError ? error.message : describe(error)),
  );
}
