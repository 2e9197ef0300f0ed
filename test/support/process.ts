import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

/** The Users function as a process of its own. */
export interface MainProcess {
  readonly child: ChildProcess;
  /** What ended it. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** What it has written to its standard error so far. */
  readonly errors: () => string;
  /** Waits for a line of the log with this message; fails when the process ends before. */
  line(message: string): Promise<Record<string, unknown>>;
}

/** Starts main.ts with these settings and no others; it is killed at the end of the test if it still runs. */
export function runMain(t: TestContext, settings: Record<string, string> = {}): MainProcess {
  const child = spawn(process.execPath, ['functions/users/main.ts'], {
    env: { PATH: process.env.PATH, PORT: '0', USERS_STORE: 'memory', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const lines: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  createInterface(child.stdout).on('line', (text) => {
    lines.push(JSON.parse(text));
    for (const look of waiting) look();
  });
  return {
    child,
    ended,
    errors: () => errors,
    async line(message) {
      const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
      const look = () => {
        const found = lines.find(({ msg }) => msg === message);
        if (found !== undefined) resolve(found);
      };
      waiting.add(look);
      look();
      const found = await Promise.race([promise, ended]);
      assert.ok('msg' in found, `ended before it logged "${message}": ${JSON.stringify(found)} ${errors}`);
      return found;
    },
  };
}
