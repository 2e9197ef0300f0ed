import type { Cluster } from 'node:cluster';

/** A process among several that share a port. */
export interface Worker {
  /** From 1 on. The one that takes the place of a worker that has died has its number. */
  readonly number: number;
  /** How many there are. */
  readonly count: number;
}

/** Set by the first process for those that it starts, and no setting: what it is to people is in the log. */
export const workerVariable = 'WORKER_OF_WORKERS';

/** Which worker this process is; `undefined` if it is no worker. */
export const thisWorker: Worker | undefined = workerIn(process.env[workerVariable]);

/** Whether this is the first worker, or no worker: what is to be told once, it tells. */
export const isFirstWorker = (thisWorker?.number ?? 1) === 1;

/** What the first process sets the variable to. */
export function textOf({ number, count }: Worker): string {
  return `${number}/${count}`;
}

/**
 * Ends this worker as SIGTERM does when the first process asks for it, or is gone. A worker that drains already is left
 * alone: Ctrl-C and some supervisors reach it too, and what the first process passes on is no second signal.
 *
 * Call it once the handlers of signals are there.
 */
export function endWithFirstProcess(cluster: Cluster): void {
  let isAsked = false;
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      isAsked = true;
    });
  }
  const end = () => {
    if (!isAsked) process.emit('SIGTERM', 'SIGTERM');
  };
  process.on('message', end);
  // Else Node ends a worker at once, and its calls, when the first process is gone.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  process.once('disconnect', end);
}

function workerIn(text = ''): Worker | undefined {
  const [number, count] = text.split('/').map(Number);
  return number && count ? { number, count } : undefined;
}
