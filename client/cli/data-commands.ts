import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';

/** The commands that work on the users themselves, on the machine of the server, and not through it. */
const descriptions = {
  backup: 'copy the users file while servers run',
  restore: 'put a backup in its place',
  export: 'write all users as JSON lines',
  import: 'sign up the users of an export',
  upgrade: 'list the users of earlier releases in a DynamoDB table',
};

const main = fileURLToPath(new URL('../../functions/users/data/main.ts', import.meta.url));

/**
 * Adds these commands. They are a program of the service, which gets their arguments as they are. (commander starts
 * programs too, but does not tell them which command it was, and has no exit code for one that a signal ended.)
 */
export function addDataCommands(program: Command): void {
  for (const [name, description] of Object.entries(descriptions)) {
    program
      .command(name)
      .description(description)
      .configureHelp({ formatHelp: () => `users ${name} --help says how it is used.\n` })
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments()
      .action(async (_options: object, command: Command) => runMain([name, ...command.args]));
  }
}

/** Runs the program to its end, and ends as it does. */
async function runMain(args: readonly string[]): Promise<void> {
  if (!existsSync(main)) {
    console.error(`users ${args[0]} is part of the service: run it where the service is installed`);
    process.exitCode = 1;
    return;
  }
  const child = spawn(process.execPath, [main, ...args], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both; others send a signal to this one alone. Twice does no harm.
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, pass);
  await once(child, 'close');
  for (const one of signals) process.off(one, pass);
  if (child.signalCode !== null) process.kill(process.pid, child.signalCode);
  process.exitCode = child.exitCode ?? 1;
}
