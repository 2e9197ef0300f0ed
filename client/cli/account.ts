import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Account } from '../../proto/gen/users_types_pb.js';
import { print } from './report.ts';

/** Prints what is kept of a user, for people: a line for each, their values one below the other. */
export async function printAccount(account: Account | undefined): Promise<void> {
  const { user, email, hasPassword = false, createdAt, etag = '' } = account ?? {};
  const lines: [name: string, value: string][] = [
    ['name', user?.username ?? ''],
    ['id', String(user?.userId ?? 0)],
    ['e-mail', email || 'none'],
    ['password', hasPassword ? 'set' : 'none'],
    ['signed up', createdAt ? instant(timestampDate(createdAt)) : 'not known'],
    ['etag', etag],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  for (const [name, value] of lines) await print(`${name.padEnd(width)}  ${value}`);
}

/** RFC 3339. A server may send what is no date: then there is no text of it. */
function instant(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'not known' : date.toISOString();
}
