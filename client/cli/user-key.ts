import type { MessageInitShape } from '@bufbuild/protobuf';
import type { User, UserKeySchema } from '../../proto/gen/users_types_pb.js';
import { UsageError } from './options.ts';

/** How the help names an argument that is one user, and what it may be. */
export const whoArgument = [
  '<who>',
  'name, id or e-mail address; write name:7 for a user whose name is a number',
] as const;

/**
 * Which user the text names: digits alone are an id, if they fit into one; what has an @ is an e-mail address.
 *
 * @throws UsageError if it is empty
 */
export function parseUserKey(text: string): MessageInitShape<typeof UserKeySchema> {
  if (text.includes('@')) return { key: { case: 'email', value: text } };
  const { username, userId } = parseUser(text);
  return { key: userId > 0 ? { case: 'userId', value: userId } : { case: 'username', value: username } };
}

/**
 * The same for GetUsers, which knows no e-mail addresses.
 *
 * @throws UsageError if it is empty
 */
export function parseUser(text: string): Pick<User, 'username' | 'userId'> {
  const userId = /^\d+$/.test(text) ? Number(text) : 0;
  if (userId > 0 && userId < 2 ** 32) return { username: '', userId };
  const username = text.replace(/^name:/, '');
  if (username === '') throw new UsageError('a user has a name or an id: one of them is empty');
  return { username, userId: 0 };
}
