import { printable } from '../../process/printable.ts';
import { ConfigError } from '../../process/settings.ts';
import { describeCrash } from '../../process/shown-error.ts';
import { readStoreSettings } from '../config.ts';
import { StoreError } from '../store.ts';
import { readCommandLine, UsageError } from './command-line.ts';
import { DataError } from './data-error.ts';
import { run } from './run.ts';

/** EX_USAGE of sysexits.h, as `users` has it. */
const usageExitCode = 64;

/** Lines of an export are shown, and file names: neither may steer the terminal. */
const say = (line: string) => console.error(line.split('\n').map(printable).join('\n'));

const interruption = new AbortController();
const interrupts = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let interrupt: NodeJS.Signals | undefined;
const onInterrupt = (signal: NodeJS.Signals) => {
  interrupt ??= signal;
  interruption.abort();
};
for (const signal of interrupts) process.on(signal, onInterrupt);

try {
  const command = readCommandLine(process.argv.slice(2));
  if (typeof command === 'string') console.log(command);
  else {
    const { store, limits, slips } = readStoreSettings(process.env);
    for (const slip of slips) say(slip);
    const { stdin, stdout } = process;
    const isDone = await run(command, { store, limits, stdin, stdout, say, signal: interruption.signal });
    process.exitCode = isDone ? 0 : 1;
  }
} catch (error) {
  if (interrupt !== undefined) endBy(interrupt);
  say(isMendable(error) ? error.message : describeCrash(error));
  process.exitCode = error instanceof UsageError ? usageExitCode : 1;
}

/** What was half done is removed. A statement of SQLite may still run, so this ends as without a handler. */
function endBy(signal: NodeJS.Signals): void {
  for (const one of interrupts) process.removeAllListeners(one);
  process.kill(process.pid, signal);
}

/** Whether its message is for the operator. Of a file that is not there, or a full disk, the system makes one. */
function isMendable(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if ('syscall' in error) return true;
  return [UsageError, ConfigError, DataError, StoreError].some((type) => error instanceof type);
}
