import { toJsonString } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { DeleteUserResultSchema } from '../../../proto/gen/users_types_pb.js';
import { call, type Run } from '../call.ts';
import { print } from '../report.ts';
import { parseUserKey, whoArgument } from '../user-key.ts';

/** `users delete`. */
export function addDelete(program: Command): void {
  program
    .command('delete')
    .description('remove a user; exit code 0 also if there is none')
    .argument(...whoArgument)
    .option('--etag <etag>', 'that of the account as you saw it; exit code 10 if it has changed since')
    .action(async (who: string, { etag = '' }: { etag?: string }) => {
      const key = parseUserKey(who);
      const run: Run = async (client, json) => {
        const result = await client.deleteUser({ key, etag });
        const { user } = result;
        if (json) await print(toJsonString(DeleteUserResultSchema, result));
        else
          await print(user ? `User removed: ${user.username} (id ${user.userId})` : 'There was no such user');
      };
      await call(program, run, { done: 'removed' });
    });
}
