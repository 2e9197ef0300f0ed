import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openLog } from './log.ts';
import type { LogOutput } from './log-output.ts';
import { sharedHeapFlags } from './memory.ts';
import { readServerSettings } from './server-settings.ts';
import { Settings } from './settings.ts';
import { lastLinesTimeoutMs, type Running } from './signals.ts';
import { textOf, workerVariable } from './worker.ts';
import { passLines } from './worker-lines.ts';

/** A worker that has died is started again after this time; the next one in its place after twice as long. */
const firstRestartMs = 100;
/** But after this time at most. */
const maxRestartMs = 30_000;
/**
 * A worker that has served for so long counts as sound: the next one in its place starts after the first time again.
 */
const soundAfterMs = 60_000;

/** How long a place stays empty after so many deaths in it, one shortly after the other. */
export function restartDelayMs(deaths: number): number {
  return Math.min(maxRestartMs, firstRestartMs * 2 ** (deaths - 1));
}

/** Where one worker after the other runs. */
interface Place {
  readonly number: number;
  worker: ClusterWorker | undefined;
  /** When the worker began to listen; `undefined` until then. */
  listensSinceMs: number | undefined;
  /** Deaths one shortly after the other. */
  deaths: number;
}

/** A worker has not ended well; the log says which. */
export class WorkersError extends Error {
  override readonly name = 'WorkersError';
}

/** Starts so many workers; the rest is as `runWorkersUntilSignal` says. @throws Error if the log can't be made */
export async function startWorkers(count: number): Promise<Running> {
  const { log, output } = await openLog(readServerSettings(new Settings(process.env)).log);
  // Connections go to the workers in turn (docs/performance.md, "Workers").
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({
    execArgv: sharedHeapFlags(process.execArgv, count),
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const pool = new WorkerPool(count, log, output);
  pool.start();
  return { log, stop: () => pool.stop() };
}

/** The workers, as the first process sees them. */
class WorkerPool {
  readonly #log: Logger;
  readonly #output: LogOutput;
  readonly #places: readonly Place[];
  /** Resolve when a worker has ended and its last lines are written. */
  readonly #closed = new Set<Promise<unknown>>();
  /** Whether all have listened. Until then a worker that dies ends the start. */
  #hasStarted = false;
  #isStopping = false;
  /** Whether one has died while all were to stop. */
  #hasFailed = false;
  #onEmpty = () => {};
  /** The port that clients know, once a worker listens at one. With PORT=0 the system has chosen it. */
  #port: number | undefined;
  /** Whether nobody has listened for a moment, so that the system would choose another. */
  #isPortLost = false;

  constructor(count: number, log: Logger, output: LogOutput) {
    this.#log = log;
    this.#output = output;
    this.#places = Array.from({ length: count }, (_, index) => ({
      number: index + 1,
      worker: undefined,
      listensSinceMs: undefined,
      deaths: 0,
    }));
    // New connections get renewed certificates. Before it listens, a worker has no handler, and would end.
    process.on('SIGHUP', () => {
      for (const it of this.#listening()) it.worker?.process.kill('SIGHUP');
    });
    // Nothing outlives the first process that its second signal, or a fault of ours, ends.
    process.on('exit', () => {
      for (const { worker } of this.#places) worker?.process.kill('SIGKILL');
    });
  }

  /** The first worker is the first to make or remove what all share, such as files: others start once it listens. */
  start(): void {
    for (const it of this.#places.slice(0, 1)) this.#fork(it);
  }

  /** Has all workers drain. @throws Error if one has not ended well */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    this.#askToEnd();
    if (this.#running().length > 0) await empty;
    await Promise.race([Promise.all(this.#closed), delay(lastLinesTimeoutMs)]);
    if (this.#hasFailed) throw new WorkersError('a worker did not end well');
  }

  #listening(): Place[] {
    return this.#places.filter((it) => it.listensSinceMs !== undefined);
  }

  #running(): Place[] {
    return this.#places.filter((it) => it.worker !== undefined);
  }

  #fork(place: Place): void {
    const { number } = place;
    const count = this.#places.length;
    const port = this.#isPortLost && { PORT: String(this.#port) };
    const worker = cluster.fork({
      WORKERS: String(count),
      [workerVariable]: textOf({ number, count }),
      ...port,
    });
    place.worker = worker;
    const { stdout } = worker.process;
    if (stdout !== null) passLines(stdout, this.#output);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    this.#closed.add(closed);
    worker.process.once('close', () => {
      this.#closed.delete(closed);
      resolve();
    });
    worker.once('listening', ({ port }) => this.#onListening(place, port));
    worker.process.once('exit', (code, signal) => this.#onEnd(place, code, signal));
    // It is told to a worker that has just died, or the system can't start one.
    worker.on('error', (err) => {
      this.#log.error({ worker: number, err }, 'a worker can not be started, or reached');
      if (worker.process.pid === undefined) this.#onEnd(place, 1, null);
    });
  }

  #onListening(place: Place, port: number): void {
    place.listensSinceMs = performance.now();
    this.#port ??= port;
    if (port !== this.#port) {
      // When it began another listened, which has gone since. Clients come to the port of before.
      this.#isPortLost = true;
      place.worker?.process.kill('SIGKILL');
      return;
    }
    if (this.#hasStarted || this.#isStopping) return;
    const isFirst = this.#running().length === 1;
    if (isFirst) for (const it of this.#places.slice(1)) this.#fork(it);
    if (this.#listening().length < this.#places.length) return;
    this.#hasStarted = true;
    this.#log.info({ workers: this.#places.length, pid: process.pid }, 'all workers listen');
  }

  #onEnd(place: Place, code: number | null, signal: NodeJS.Signals | null): void {
    const { number, listensSinceMs, worker } = place;
    const pid = worker?.process.pid;
    place.worker = undefined;
    place.listensSinceMs = undefined;
    if (this.#port !== undefined && this.#port > 0) this.#isPortLost ||= this.#listening().length === 0;
    if (this.#isStopping) {
      // One that does not listen yet has nothing to lose.
      if (code !== 0 && listensSinceMs !== undefined) {
        this.#hasFailed = true;
        this.#log.error({ worker: number, pid, code, signal }, 'a worker has died');
      }
      if (this.#running().length === 0) this.#onEmpty();
      return;
    }
    // What it could not do it has told. Where others serve, it may be able to do it later.
    const isHopeless = !this.#hasStarted || this.#listening().length === 0;
    if (listensSinceMs === undefined && isHopeless) {
      // A signal that is for all may come here later than there, where nobody handles it yet.
      const isAsked = signal === 'SIGTERM' || signal === 'SIGINT';
      this.#giveUp(isAsked ? 0 : (code ?? 1));
      return;
    }
    const isSound = listensSinceMs !== undefined && performance.now() - listensSinceMs > soundAfterMs;
    place.deaths = isSound ? 1 : place.deaths + 1;
    const restartMs = restartDelayMs(place.deaths);
    const ended = { worker: number, pid, code, signal, restartMs };
    this.#log[code === 0 ? 'info' : 'error'](ended, 'a worker has ended, and is started again');
    setTimeout(() => {
      if (!this.#isStopping) this.#fork(place);
    }, restartMs);
  }

  #askToEnd(): void {
    for (const { worker } of this.#running()) if (worker?.isConnected()) worker.send('end');
  }

  /** Ends as a single process does that can't start. */
  async #giveUp(code: number): Promise<void> {
    // Who has not ended well has told why.
    await this.stop().catch(() => {});
    const written = new Promise<void>((resolve) => this.#log.flush(() => resolve()));
    await Promise.race([written, delay(lastLinesTimeoutMs)]);
    process.exit(code);
  }
}
