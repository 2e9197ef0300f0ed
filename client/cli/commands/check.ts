import { create, toJsonString } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { CheckPasswordResultSchema, UserSchema } from '../../../proto/gen/users_types_pb.js';
import { call } from '../call.ts';
import { readPassword } from '../password.ts';
import { print } from '../report.ts';
import { parseUserKey, whoArgument } from '../user-key.ts';

/** `users check`. */
export function addCheck(program: Command): void {
  program
    .command('check')
    .description('check the password of a user; exit code 1 if it is another')
    .argument(...whoArgument)
    .requiredOption('--password-stdin', 'read the password from standard input')
    .action(async (who: string) => {
      const key = parseUserKey(who);
      const password = await readPassword(process.stdin);
      await call(program, async (client, json) => {
        const result = await client.checkPassword({ key, password });
        const user = result.user ?? create(UserSchema);
        await print(
          json
            ? toJsonString(CheckPasswordResultSchema, result)
            : `The password is that of ${user.username} (id ${user.userId})`,
        );
      });
    });
}
