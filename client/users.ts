#!/usr/bin/env node
import { randomUUID } from 'node:crypto';
import { create, toJsonString } from '@bufbuild/protobuf';
import { Command, CommanderError, Option } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import {
  CreateUserResultSchema,
  type GetUsersResult,
  GetUsersResultSchema,
  type User,
  UserSchema,
} from '../proto/gen/users_types_pb.js';
import { CallError } from './call/call-error.ts';
import { newKey, showKey } from './cli/key.ts';
import { addGlobalOptions, type GlobalOptions, openUsersClient, UsageError } from './cli/options.ts';
import { readPassword } from './cli/password.ts';
import { print, printError } from './cli/report.ts';
import type { UsersClient } from './client.ts';

/** EX_USAGE of sysexits.h: the codes below it are gRPC's. */
const usageExitCode = 64;

const program = addGlobalOptions(new Command('users'))
  .description('Signs users up, and shows them, at a Users service.')
  .version(packageJson.version, '--version', 'print the version')
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('Try --help.')
  .exitOverride()
  .addHelpText(
    'after',
    `
The exit code is 0 or the gRPC status code: 3 INVALID_ARGUMENT, 4 DEADLINE_EXCEEDED, 6 ALREADY_EXISTS,
14 UNAVAILABLE and so on; ${usageExitCode} says that the command line is wrong.`,
  );

program
  .command('create')
  .description('sign a user up')
  .argument('<name>', 'letters, digits and . _ -')
  .option('--email <address>', 'e-mail address of the user')
  .option('--password-stdin', 'read the password of the user from standard input')
  .addOption(
    new Option('--request-id <uuid>', 'repeat an earlier sign-up whose end is not known').default(
      '',
      'a new one',
    ),
  )
  .action(async (username: string, own: { email?: string; passwordStdin?: true; requestId: string }) => {
    const { email = '' } = own;
    // An empty one is none; the client would make one that the advice does not know.
    const requestId = own.requestId || randomUUID();
    const password = own.passwordStdin ? await readPassword(process.stdin) : '';
    await call(requestId, async (client, json) => {
      const result = await client.createUser({ username, email, password, requestId });
      const user = result.user ?? create(UserSchema);
      await print(
        json
          ? toJsonString(CreateUserResultSchema, result)
          : `User created: ${user.username} (id ${user.userId})`,
      );
    });
  });

program
  .command('get')
  .description('show users, each as it arrives')
  .argument('<name|id...>', 'names or ids; write name:7 for a user whose name is a number')
  .action(async (wanted: string[]) => {
    const width = Math.max(...wanted.map((text) => text.length));
    const user = wanted.map(parseUser);
    await call(undefined, async (client, json) => {
      for await (const result of client.getUsers({ user })) {
        await print(json ? toJsonString(GetUsersResultSchema, result) : describe(result, width));
      }
    });
  });

program
  .command('health')
  .description('ask whether the server is serving; exit code 14 if it is not')
  .argument('[service]', 'one service, such as Users')
  .action(async (service?: string) => {
    await call(undefined, async (client, json) => {
      const status = await client.health(service);
      await print(json ? JSON.stringify({ status }) : status);
      if (status !== 'SERVING') process.exitCode = 14;
    });
  });

program
  .command('key')
  .description('make keys for callers of a server')
  .command('new')
  .description('make a key; no server is asked')
  .argument('<name>', 'who calls with it, as the log will name it')
  .requiredOption('--scopes <list>', 'what the caller may do: users.read,users.write; "*" for everything')
  .option('--out <file>', 'write the key to a new file, which only you can read, and do not show it')
  .action(async (name: string, { scopes, out }: { scopes: string; out?: string }) => {
    await showKey(newKey(name, scopes), { out, json: program.opts<GlobalOptions>().json ?? false });
  });

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

/** Runs one call, and ends with its status as the exit code. The request id is that of a sign-up. */
async function call(
  requestId: string | undefined,
  run: (client: UsersClient, json: boolean) => Promise<void>,
): Promise<void> {
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
    printError(error, { endpoint, protocol, requestId: begun ? requestId : undefined }, json);
    process.exitCode = error.code;
  }
}

/** Digits alone are an id, if they fit into one. */
function parseUser(text: string): Pick<User, 'username' | 'userId'> {
  const userId = /^\d+$/.test(text) ? Number(text) : 0;
  if (userId > 0 && userId < 2 ** 32) return { username: '', userId };
  const username = text.replace(/^name:/, '');
  if (username === '') throw new UsageError('a user has a name or an id: one of them is empty');
  return { username, userId: 0 };
}

function describe({ result }: GetUsersResult, width: number): string {
  const { username = '', userId = 0 } = result.value ?? {};
  const asked = (username || String(userId)).padEnd(width);
  return result.case === 'user' ? `${asked}  id ${userId}` : `${asked}  not found`;
}
