import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { hasEnded } from '../command.ts';
import { freePort } from '../load-balancer.ts';
import { type Revision, unpack } from './revision.ts';

/** How long a server may take to listen, and then from SIGTERM to its end. */
const initTimeoutMs = 10_000;
const shutdownMs = 1_000;

/** How an environment ended. */
export interface Ended {
  /** The exit code; undefined if it was killed. One that SIGTERM ends before it listens has lost nothing: 0. */
  readonly code: number | undefined;
}

/**
 * An execution environment: a process of the revision's code that listens where AWS_LAMBDA_HTTP_ENDPOINT says.
 * Source: https://docs.aws.amazon.com/lambda/latest/dg/web-functions-env-lifecycle.html
 */
export class Environment {
  readonly agent = new http.Agent({ keepAlive: true });
  /** Lines of its log. */
  readonly lines: string[] = [];
  readonly revision: Revision;
  /** Resolves once it listens. Rejects if it does not in time. */
  readonly ready: Promise<number>;
  /** Resolves when its process is over, and all that it wrote is there. */
  readonly gone: Promise<Ended>;
  /** Requests that it has. */
  running = 0;
  lastUsedMs = performance.now();
  isListening = false;
  readonly #process: Promise<ChildProcessByStdio<null, Readable, Readable>>;
  readonly #write: (line: string) => void;
  #errors = '';
  /** Whether the platform has ended it. */
  #isEnded = false;

  /** @param write takes each line of its log, and the platform's about its start */
  constructor(revision: Revision, write: (line: string) => void) {
    this.revision = revision;
    this.#write = write;
    const port = freePort();
    const code = unpack(revision);
    this.#process = Promise.all([port, code]).then(([at, { folder }]) => this.#spawn(folder, at));
    const closed = this.#process.then((it) => once(it, 'close'));
    this.gone = closed.then(async ([exitCode, signal]): Promise<Ended> => {
      this.agent.destroy();
      await (await code).remove();
      const isUnheard = signal === 'SIGTERM' && !this.isListening;
      return { code: exitCode ?? (isUnheard ? 0 : undefined) };
    });
    this.ready = port.then((at) => this.#listens(at));
    for (const promise of [this.ready, this.gone]) promise.catch(() => {});
  }

  /** Ends it as the platform does. */
  async end(): Promise<Ended> {
    this.#isEnded = true;
    const running = await this.#process;
    running.kill('SIGTERM'); // nothing where it is over
    const late = setTimeout(() => running.kill('SIGKILL'), shutdownMs);
    try {
      return await this.gone;
    } finally {
      clearTimeout(late);
    }
  }

  /** Ends it without notice, as a machine that fails does. */
  async kill(): Promise<void> {
    (await this.#process).kill('SIGKILL');
    await this.gone;
  }

  #spawn(folder: string, port: number): ChildProcessByStdio<null, Readable, Readable> {
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    const child = spawn(process.execPath, ['main.mjs'], {
      cwd: folder,
      env: {
        PATH,
        NODE_COMPILE_CACHE,
        AWS_LAMBDA_HTTP_ENDPOINT: `127.0.0.1:${port}`,
        AWS_LAMBDA_INITIALIZATION_TYPE: 'native-http',
        ...this.revision.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface(child.stdout).on('line', (line) => {
      this.lines.push(line);
      this.#write(line);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    return child;
  }

  async #listens(port: number): Promise<number> {
    const child = await this.#process;
    const beganMs = performance.now();
    while (performance.now() < beganMs + initTimeoutMs && !hasEnded(child)) {
      if (await isTaken(port)) {
        this.#report('success', beganMs);
        this.isListening = true;
        return port;
      }
      await delay(5);
    }
    // One that was on its way when another revision came did not fail.
    if (!this.#isEnded) this.#report('failure', beganMs);
    throw new Error(`it does not listen: ${this.#errors}`);
  }

  /**
   * What the platform writes of a start into the log of the function. Source of its form:
   * https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-initReport
   */
  #report(status: 'success' | 'failure', beganMs: number): void {
    const errorType = status === 'failure' ? 'Runtime.InitError' : undefined;
    const metrics = { durationMs: performance.now() - beganMs };
    const record = { initializationType: 'on-demand', phase: 'init', status, errorType, metrics };
    this.#write(JSON.stringify({ time: new Date().toISOString(), type: 'platform.initReport', record }));
  }
}

function isTaken(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = net.connect(port, '127.0.0.1', () => resolve(true));
  socket.on('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
