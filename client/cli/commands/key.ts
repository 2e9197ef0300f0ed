import type { Command } from 'commander';
import { newKey, showKey, warnOfScopes } from '../key.ts';
import type { GlobalOptions } from '../options.ts';

/** `users key new`. */
export function addKey(program: Command): void {
  program
    .command('key')
    .description('make keys for callers of a server')
    .command('new')
    .description('make a key; no server is asked')
    .argument('<name>', 'who calls with it, as the log will name it')
    .requiredOption('--scopes <list>', 'what the caller may do: users.read,users.write; "*" for everything')
    .option('--out <file>', 'write the key to a new file, which only you can read, and do not show it')
    .addHelpText('after', '\n--json prints the key and its entry as one object.')
    .action(async (name: string, { scopes, out }: { scopes: string; out?: string }) => {
      const key = newKey(name, scopes);
      warnOfScopes(key);
      await showKey(key, { out, json: program.opts<GlobalOptions>().json ?? false });
    });
}
