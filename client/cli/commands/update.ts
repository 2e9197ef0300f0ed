import { randomUUID } from 'node:crypto';
import { toJsonString } from '@bufbuild/protobuf';
import { type Command, Option } from 'commander';
import { UpdateUserResultSchema } from '../../../proto/gen/users_types_pb.js';
import { printAccount } from '../account.ts';
import { call, type Run } from '../call.ts';
import { UsageError } from '../options.ts';
import { readPassword } from '../password.ts';
import { print } from '../report.ts';
import { parseUserKey, whoArgument } from '../user-key.ts';

/** The options as commander leaves them: `false` is that of `--no-…`. */
interface UpdateOptions {
  readonly name?: string;
  readonly email?: string | false;
  readonly passwordStdin?: true;
  readonly password: boolean;
  readonly etag?: string;
  readonly requestId: string;
}

/** `users update`. */
export function addUpdate(program: Command): void {
  /** commander keeps both in one value, of which the last would win. */
  const given = new Set<'email' | 'no-email'>();
  program
    .command('update')
    .description('change a user, all that is asked for or nothing; show what is kept afterwards')
    .argument(...whoArgument)
    .option('--name <name>', 'another name')
    .option('--email <address>', 'another e-mail address')
    .option('--no-email', 'remove the e-mail address')
    .addOption(
      new Option('--password-stdin', 'read another password from standard input').conflicts('password'),
    )
    .option('--no-password', 'remove the password: nobody can log in then')
    .option('--etag <etag>', 'that of the account as you saw it; exit code 10 if it has changed since')
    .addOption(
      new Option('--request-id <uuid>', 'repeat an earlier change whose end is not known').default(
        '',
        'a new one',
      ),
    )
    .on('option:email', () => given.add('email'))
    .on('option:no-email', () => given.add('no-email'))
    .action(async (who: string, own: UpdateOptions) => {
      if (given.size === 2)
        throw new UsageError("option '--email <address>' cannot be used with option '--no-email'");
      const key = parseUserKey(who);
      const paths = pathsOf(own);
      const { name: username = '', etag = '' } = own;
      const email = own.email || '';
      const password = own.passwordStdin ? await readPassword(process.stdin) : '';
      const requestId = own.requestId || randomUUID();
      const run: Run = async (client, json) => {
        const result = await client.updateUser({
          key,
          username,
          email,
          password,
          updateMask: { paths },
          etag,
          requestId,
        });
        if (json) await print(toJsonString(UpdateUserResultSchema, result));
        else await printAccount(result.account);
      };
      await call(program, run, { done: 'changed', requestId });
    });
}

/**
 * The fields to change, as the contract names them.
 *
 * @throws UsageError if there is none, or if an option that a script filled in turns out to remove something
 */
function pathsOf({ name, email, passwordStdin, password }: UpdateOptions): string[] {
  if (email === '') throw new UsageError('--email is empty: --no-email removes it');
  const paths: string[] = [];
  if (name !== undefined) paths.push('username');
  if (email !== undefined) paths.push('email');
  if (passwordStdin || !password) paths.push('password');
  if (paths.length === 0) {
    throw new UsageError(
      'say what to change: --name, --email, --no-email, --password-stdin or --no-password',
    );
  }
  return paths;
}
