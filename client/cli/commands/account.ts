import { toJsonString } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { GetAccountResultSchema } from '../../../proto/gen/users_types_pb.js';
import { printAccount } from '../account.ts';
import { call } from '../call.ts';
import { print } from '../report.ts';
import { parseUserKey, whoArgument } from '../user-key.ts';

/** `users account`. */
export function addAccount(program: Command): void {
  program
    .command('account')
    .description('show what is kept of a user, its e-mail address too')
    .argument(...whoArgument)
    .action(async (who: string) => {
      const key = parseUserKey(who);
      await call(program, async (client, json) => {
        const result = await client.getAccount({ key });
        if (json) await print(toJsonString(GetAccountResultSchema, result));
        else await printAccount(result.account);
      });
    });
}
