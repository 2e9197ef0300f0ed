import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';

/** A process that logs what it is told to. */
export interface LoggingProcess {
  readonly child: ChildProcess;
  /** Has it log a line for each text; resolves when they are logged, which is before they are written. */
  log(texts: readonly string[]): Promise<void>;
  /** Has it exit, and resolves with its exit code. */
  end(): Promise<number | null>;
}

/**
 * Starts a process that logs.
 *
 * @param stdout where its log goes: a file descriptor, or a pipe, `child.stdout`
 * @param launcher what runs node, as the words of a command; by default nothing
 */
export async function startLogging(
  t: TestContext,
  { stdout = 'pipe', env = {}, launcher = [] }: LoggingOptions = {},
): Promise<LoggingProcess> {
  const [command = '', ...args] = [...launcher, process.execPath, `${import.meta.dirname}/logging.ts`];
  const child = spawn(command, args, { env, stdio: ['ignore', stdout, 'inherit', 'ipc'] });
  const closed = once(child, 'close');
  t.after(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  await once(child, 'message');
  return {
    child,
    async log(texts) {
      const logged = once(child, 'message');
      child.send([...texts]);
      await logged;
    },
    async end() {
      child.send('end');
      const [code] = await closed;
      return code;
    },
  };
}

interface LoggingOptions {
  stdout?: number | 'pipe';
  env?: Record<string, string>;
  launcher?: readonly string[];
}
