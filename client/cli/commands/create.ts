import { randomUUID } from 'node:crypto';
import { create, toJsonString } from '@bufbuild/protobuf';
import { type Command, Option } from 'commander';
import { CreateUserResultSchema, UserSchema } from '../../../proto/gen/users_types_pb.js';
import { call, type Run } from '../call.ts';
import { readPassword } from '../password.ts';
import { print } from '../report.ts';

/** `users create`. */
export function addCreate(program: Command): void {
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
      const run: Run = async (client, json) => {
        const result = await client.createUser({ username, email, password, requestId });
        const user = result.user ?? create(UserSchema);
        await print(
          json
            ? toJsonString(CreateUserResultSchema, result)
            : `User created: ${user.username} (id ${user.userId})`,
        );
      };
      await call(program, run, { done: 'created', requestId });
    });
}
