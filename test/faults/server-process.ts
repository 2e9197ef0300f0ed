import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** The Users server as a process of its own. */
export interface ServerProcess {
  readonly url: string;
  /** Kills it with SIGKILL and waits for the end. False if it had ended before by itself. */
  kill(): Promise<boolean>;
}

/**
 * Starts the server on a free port and waits until it listens.
 *
 * @throws with what it wrote to its standard error, if it ends before
 */
export async function startServer(environment: Record<string, string>): Promise<ServerProcess> {
  const child: ChildProcess = spawn(process.execPath, ['functions/users/main.ts'], {
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', LOG_FORMAT: 'json', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('the child has no pipes');
  let errors = '';
  stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const port = await new Promise<number>((resolve, reject) => {
    // Read on to the end: a full pipe would stop the server.
    createInterface(stdout).on('line', (line) => {
      const { msg, port } = JSON.parse(line);
      if (msg === 'listening') resolve(port);
    });
    ended.then(({ code }) => reject(new Error(`the server ended with ${code}: ${errors}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async kill() {
      child.kill('SIGKILL');
      return (await ended).signal === 'SIGKILL';
    },
  };
}
