import { toJsonString } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { type GetUsersResult, GetUsersResultSchema } from '../../../proto/gen/users_types_pb.js';
import { call } from '../call.ts';
import { print } from '../report.ts';
import { parseUser } from '../user-key.ts';

/** `users get`. */
export function addGet(program: Command): void {
  program
    .command('get')
    .description('show users, each as it arrives')
    .argument('<name|id...>', 'names or ids; write name:7 for a user whose name is a number')
    .action(async (wanted: string[]) => {
      const width = Math.max(...wanted.map((text) => text.length));
      const user = wanted.map(parseUser);
      await call(program, async (client, json) => {
        for await (const result of client.getUsers({ user })) {
          await print(json ? toJsonString(GetUsersResultSchema, result) : describe(result, width));
        }
      });
    });
}

function describe({ result }: GetUsersResult, width: number): string {
  const { username = '', userId = 0 } = result.value ?? {};
  const asked = (username || String(userId)).padEnd(width);
  return result.case === 'user' ? `${asked}  id ${userId}` : `${asked}  not found`;
}
