import { toJsonString } from '@bufbuild/protobuf';
import { type Command, InvalidArgumentError } from 'commander';
import { UserSchema } from '../../../proto/gen/users_types_pb.js';
import { defaults } from '../../defaults.ts';
import { call } from '../call.ts';
import { print } from '../report.ts';

/** Which names come is not known when the first is printed: ids stand below each other after names of this length. */
const nameWidth = 20;

/** `users list`. */
export function addList(program: Command): void {
  program
    .command('list')
    .description('list users in the order of their names, page after page')
    .option('--prefix <text>', 'only those whose names begin so, without regard to case')
    .option('--limit <number>', 'so many at most (default: all)', parseLimit)
    .action(
      async ({ prefix = '', limit = Number.POSITIVE_INFINITY }: { prefix?: string; limit?: number }) => {
        const request = { usernamePrefix: prefix, pageSize: Math.min(limit, defaults.listPageUsers) };
        await call(program, async (client, json) => {
          let left = limit;
          for await (const user of client.listAllUsers(request)) {
            const line = `${user.username.padEnd(nameWidth)}  id ${user.userId}`;
            await print(json ? toJsonString(UserSchema, user) : line);
            if (--left === 0) break;
          }
        });
      },
    );
}

function parseLimit(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Write a number from 1 to 999999999.');
  return Number(text);
}
