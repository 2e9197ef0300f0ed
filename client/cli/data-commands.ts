import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { UsageError } from './options.ts';

/** The commands that work on the users themselves, on the machine of the server, and not through it. */
const descriptions = {
  backup: 'copy the users file while servers run',
  restore: 'put a backup in the place of the users file',
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
      .configureHelp({ formatHelp: () => helpOf(name) })
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments()
      .action(async (_options: object, command: Command) => {
        refuseOptions(program, name);
        await runMain([name, ...command.args]);
      });
  }
}

/** commander takes the options of the program anywhere. None means anything here; in the environment, they may stay. */
function refuseOptions(program: Command, name: string): void {
  const given = program.options.find((it) => program.getOptionValueSource(it.attributeName()) === 'cli');
  if (given) throw new UsageError(`${name} takes no ${given.long}: it asks no server`);
}

/** For `users help backup`. */
function helpOf(name: string): string {
  if (!existsSync(main)) return `${notHere(name)}\n`;
  return spawnSync(process.execPath, [main, name, '--help'], { encoding: 'utf8' }).stdout;
}

function notHere(name: string): string {
  return `users ${name} is part of the service: run it where the service is installed`;
}

/** Runs the program to its end, and ends as it does. */
async function runMain(args: readonly [name: string, ...string[]]): Promise<void> {
  if (!existsSync(main)) {
    console.error(notHere(args[0]));
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
