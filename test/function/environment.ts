import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fromHere } from '../support/process.ts';
import { type Revision, unpack } from './revision.ts';

/** How long a server may take to listen, and then from SIGTERM to its end. */
const initTimeoutMs = 10_000;
const shutdownMs = 1_000;

/** How an environment ended. */
export interface Ended {
  /** The exit code; undefined if it had to be killed. */
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
  readonly #child: Promise<ChildProcess>;
  readonly #remove: () => void;
  /** Requests that it has. */
  running = 0;
  lastUsedMs = performance.now();
  #errors = '';

  constructor(revision: Revision) {
    this.revision = revision;
    const { folder, remove } = unpack(revision);
    this.#remove = remove;
    const port = freePort();
    this.#child = port.then((at) => this.#spawn(folder, at));
    this.ready = port.then((at) => this.#listens(at));
    this.ready.catch(() => {});
  }

  /** Ends it as the platform does. */
  async end(): Promise<Ended> {
    const child = await this.#child;
    const ended = once(child, 'close');
    if (child.exitCode === null) child.kill('SIGTERM');
    const late = new AbortController();
    const timer = delay(shutdownMs, undefined, { signal: late.signal }).then(
      () => child.kill('SIGKILL'),
      () => {},
    );
    const [code, signal] = child.exitCode === null ? await ended : [child.exitCode, null];
    late.abort();
    await timer;
    this.agent.destroy();
    this.#remove();
    return { code: signal === null ? code : undefined };
  }

  #spawn(folder: string, port: number): ChildProcess {
    const child = spawn(process.execPath, ['main.mjs'], {
      cwd: folder,
      env: {
        ...fromHere(),
        AWS_LAMBDA_HTTP_ENDPOINT: `127.0.0.1:${port}`,
        AWS_LAMBDA_INITIALIZATION_TYPE: 'native-http',
        ...this.revision.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface(child.stdout).on('line', (line) => this.lines.push(line));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    return child;
  }

  async #listens(port: number): Promise<number> {
    const child = await this.#child;
    const untilMs = performance.now() + initTimeoutMs;
    while (performance.now() < untilMs && child.exitCode === null) {
      if (await isListening(port)) return port;
      await delay(5);
    }
    throw new Error(`it does not listen: ${this.#errors}`);
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // of a port, not of a pipe
  server.close();
  await once(server, 'close');
  return port;
}

function isListening(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = net.connect(port, '127.0.0.1', () => resolve(true));
  socket.on('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
