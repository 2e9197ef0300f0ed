import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a process of a test needs of the environment, and all it gets of it. */
export function fromHere(): NodeJS.ProcessEnv {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return { PATH, NODE_COMPILE_CACHE };
}

/** A line of a log in JSON. */
export type LogLine = Readonly<Record<string, unknown>>;

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What to start, and where. */
export interface ProcessOptions {
  /** The arguments of node: functions/main.ts by default. */
  readonly args?: readonly string[];
  /** The repository's folder by default. */
  readonly folder?: string;
  /** Its environment; besides, there is `fromHere()`, and HOST and PORT for a free port of 127.0.0.1. */
  readonly settings?: NodeJS.ProcessEnv;
}

/** The Users server as a process of its own. Disposal kills it if it still runs. */
export class ServerProcess implements AsyncDisposable {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** Resolves when it has ended and all its output is there. */
  readonly ended: Promise<End>;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #isTls: boolean;
  #errors = '';

  constructor({ args = ['functions/main.ts'], folder = root, settings }: ProcessOptions = {}) {
    this.child = spawn(process.execPath, args, {
      cwd: folder,
      env: { ...fromHere(), HOST: '127.0.0.1', PORT: '0', ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#isTls = settings?.TLS_CERT_FILE !== undefined;
    this.ended = once(this.child, 'close').then(([code, signal]) => ({ code, signal }));
    this.child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#errors += chunk;
    });
    // Read to the end: a full pipe would stop the server.
    createInterface(this.child.stdout).on('line', (line) => {
      this.#lines.push(line);
      for (const look of this.#waiting) look();
    });
  }

  /** What it has written to its standard error so far. */
  errors(): string {
    return this.#errors;
  }

  /** What it has written to its standard output so far, in whole lines. */
  printed(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }

  /** Waits for a line of the log in JSON with this message and these fields; fails when the process ends before. */
  async line(message: string, fields: Readonly<Record<string, unknown>> = {}): Promise<LogLine> {
    const wanted = Object.entries({ ...fields, msg: message });
    return this.found(message, (line) => wanted.every(([name, value]) => line[name] === value));
  }

  /** Waits for a line of the log in JSON that matches; fails when the process ends before. `what`: for that failure. */
  async found(what: string, matches: (line: LogLine) => boolean): Promise<LogLine> {
    return this.#found(what, () => this.lines().find(matches));
  }

  /** The lines of its log in JSON so far. */
  lines(): LogLine[] {
    return this.#lines.map((line) => JSON.parse(line));
  }

  /** Waits until it has printed the text as the end of a line; fails when the process ends before. */
  async prints(text: string): Promise<void> {
    await this.#found(text, () => this.#lines.find((line) => line.endsWith(text)));
  }

  /** Waits until it listens; returns its URL. */
  async url(): Promise<string> {
    const { port } = await this.line('listening');
    return `${this.#isTls ? 'https' : 'http'}://127.0.0.1:${port}`;
  }

  /** Kills it with SIGKILL and waits for the end. False if it had ended before by itself. */
  async kill(): Promise<boolean> {
    this.child.kill('SIGKILL');
    return (await this.ended).signal === 'SIGKILL';
  }

  /** Ends it as a deployment does, with SIGTERM; fails if it does not end well. */
  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    assert.deepEqual(await this.ended, { code: 0, signal: null }, this.#errors);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #found<T>(what: string, find: () => T | undefined): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const look = () => {
      const found = find();
      if (found !== undefined) resolve(found);
    };
    this.#waiting.add(look);
    look();
    const isMissing = this.ended.then((end) =>
      assert.fail(`ended before it wrote "${what}": ${JSON.stringify(end)} ${this.#errors}`),
    );
    try {
      return await Promise.race([promise, isMissing]);
    } finally {
      this.#waiting.delete(look);
    }
  }
}

/**
 * Starts a server with users in memory and these settings; it is killed at the end of the test if it still runs.
 *
 * @param entry its main, from the root of the repository; by default that of the Users function
 */
export function runMain(
  t: TestContext,
  settings: NodeJS.ProcessEnv = {},
  entry = 'functions/main.ts',
): ServerProcess {
  const main = new ServerProcess({ args: [entry], settings: { USERS_STORE: 'memory', ...settings } });
  t.after(() => main.kill());
  return main;
}
