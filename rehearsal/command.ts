import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';

/** How a command ended that failed. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

/** What a command may be given besides its arguments. */
export interface CommandOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Default: as long as it takes. */
  readonly timeoutMs?: number;
}

/**
 * Runs a command to its end and returns what it printed, without the white space at the end.
 *
 * @throws CommandFailed with what it said, when it can't be run or ends with another code than 0
 */
export function run(
  command: string,
  args: readonly (string | number)[] = [],
  options: CommandOptions = {},
): Promise<string> {
  const { timeoutMs = 0, ...others } = options;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const maxBuffer = 64 * 1024 * 1024;
  execFile(
    command,
    args.map(String),
    { ...others, timeout: timeoutMs, maxBuffer },
    (error, stdout, stderr) => {
      if (!error) return resolve(stdout.trimEnd());
      const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-40).join('\n');
      reject(new CommandFailed(`${command} ${args.join(' ')}\n${said || error.message}`));
    },
  );
  return promise;
}

/** The same, for a command that may fail: undefined then. */
export async function attempt(
  command: string,
  args: readonly (string | number)[] = [],
): Promise<string | undefined> {
  return run(command, args).catch((error) => {
    if (error instanceof CommandFailed) return undefined;
    throw error;
  });
}

/** Whether a program that was started has ended, by itself or by a signal. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Ends a program with SIGTERM, if it runs, and waits until it has ended. */
export async function end(running: ChildProcess): Promise<void> {
  if (hasEnded(running)) return;
  const ended = once(running, 'exit');
  running.kill('SIGTERM');
  await ended;
}
