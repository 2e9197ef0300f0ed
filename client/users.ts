#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { addAccount } from './cli/commands/account.ts';
import { addCheck } from './cli/commands/check.ts';
import { addCreate } from './cli/commands/create.ts';
import { addDelete } from './cli/commands/delete.ts';
import { addGet } from './cli/commands/get.ts';
import { addHealth } from './cli/commands/health.ts';
import { addKey } from './cli/commands/key.ts';
import { addList } from './cli/commands/list.ts';
import { addUpdate } from './cli/commands/update.ts';
import { addDataCommands } from './cli/data-commands.ts';
import { addGlobalOptions, UsageError } from './cli/options.ts';

/** EX_USAGE of sysexits.h: the codes below it are gRPC's. */
const usageExitCode = 64;

const passwordHint = "$1': create and update read the password from standard input, with --password-stdin";

const program = addGlobalOptions(new Command('users'))
  .description('Signs users up, shows, changes and removes them, and checks passwords, at a Users service.')
  .version(packageJson.version, '--version', 'print the version')
  .showHelpAfterError('Try --help.')
  .exitOverride()
  .configureOutput({
    // In the arguments whoever lists the processes would see it; nor is it shown here.
    outputError: (text, write) => write(text.replace(/(unknown option '--password)(=.*)?'/s, passwordHint)),
  })
  .addHelpText(
    'after',
    `
The exit code is 0 or the gRPC status code: 3 INVALID_ARGUMENT, 4 DEADLINE_EXCEEDED, 5 NOT_FOUND, 6 ALREADY_EXISTS,
10 ABORTED, 14 UNAVAILABLE, 16 UNAUTHENTICATED and so on; ${usageExitCode} says that the command line is wrong. check has 1 for
a wrong password, and what works on the machine of the server has 1 for all that fails.`,
  );

program.commandsGroup('Commands that ask a server:');
addCreate(program);
addGet(program);
addList(program);
addAccount(program);
addCheck(program);
addUpdate(program);
addDelete(program);
addHealth(program);
for (const command of program.commands)
  command.addHelpText(
    'after',
    '\nOptions of all commands, such as --endpoint and --token-file: users --help',
  );
program.commandsGroup('Commands on the machine of the server, which open what it keeps users in:');
addDataCommands(program);
program.commandsGroup('Other commands:');
addKey(program);
program.helpCommand('help [command]', 'show the help of a command');

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`error: ${error.message}\nTry --help.`);
  } else if (!(error instanceof CommanderError)) {
    throw error;
  }
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : usageExitCode;
}
