import type { Command } from 'commander';
import { CallError } from '../call/call-error.ts';
import type { UsersClient } from '../client.ts';
import { type GlobalOptions, openUsersClient } from './options.ts';
import { type Change, printError } from './report.ts';

/** What a command does with a client. */
export type Run = (client: UsersClient, json: boolean) => Promise<void>;

/**
 * Calls a server as the options of the program say. What fails is told on stderr, and its status becomes the exit code:
 * but 1 for a wrong password, since the status is also that of a caller whose own credential is refused.
 *
 * @param change what the call changes, to be told if nobody knows whether it has. Default: nothing
 */
export async function call(program: Command, run: Run, change?: Change): Promise<void> {
  const options = program.opts<GlobalOptions>();
  const json = options.json ?? false;
  using client = openUsersClient(options);
  let begun = false;
  try {
    if (options.wait !== undefined) await client.ready({ timeoutMs: options.wait });
    begun = true;
    await run(client, json);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    const { endpoint, protocol } = options;
    printError(error, { endpoint, protocol, change: begun ? change : undefined }, json);
    process.exitCode = error.reason === 'WRONG_PASSWORD' ? 1 : error.code;
  }
}
