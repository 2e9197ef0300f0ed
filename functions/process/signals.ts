import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { describeCrash } from './shown-error.ts';

/** What a signal ends. */
export interface Running {
  readonly log: Logger;
  /** Finishes what is under way and releases everything; the process exits after it. */
  stop(): Promise<void>;
}

/** Two signals closer than this are one: Ctrl-C reaches a watched process twice. */
const sameSignalMs = 200;
/** The time in which the reader of the log must take its last lines. */
export const lastLinesTimeoutMs = 1_000;

/**
 * Starts a process, and ends it at SIGTERM or SIGINT: with 0 once all is stopped, or while it still starts; at once and
 * with 1 at a second signal, and at an error that nobody catches, of which standard error gets what can be no secret.
 * Call it before all else: without a handler a signal does nothing to process 1, which this is in a container
 * (https://man7.org/linux/man-pages/man7/pid_namespaces.7.html).
 *
 * @param describe makes what is written to standard error if the start or the end fails; the process then exits with 1
 */
export async function runUntilSignal(
  start: () => Promise<Running>,
  describe: (error: unknown) => unknown,
): Promise<void> {
  let running: Running | undefined;
  let stoppedAtMs: number | undefined;
  const fail = (error: unknown): never => {
    console.error(describe(error));
    process.exit(1);
  };
  const onSignal = (signal: string) => {
    if (running === undefined) process.exit(0);
    if (stoppedAtMs === undefined) {
      stoppedAtMs = performance.now();
      stop(running, signal).catch(fail);
    } else if (performance.now() - stoppedAtMs > sameSignalMs) {
      running.log.warn({ signal }, 'ended at once by a second signal');
      process.exit(1);
    }
  };
  process.on('uncaughtException', (error: unknown) => {
    console.error(describeCrash(error));
    process.exit(1);
  });
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => onSignal(signal));
  running = await start().catch(fail);
}

async function stop({ log, stop }: Running, signal: string): Promise<never> {
  log.info({ signal }, 'draining');
  await stop();
  log.info({}, 'drained');
  const written = new Promise<void>((resolve) => log.flush(() => resolve()));
  await Promise.race([written, delay(lastLinesTimeoutMs)]);
  process.exit(0);
}
