import type { MessageInitShape } from '@bufbuild/protobuf';
import type { UserSchema } from '../../proto/gen/users_types_pb.js';
import { rpcError } from '../rpc/index.ts';

/** The users of the article. A query without a user asks for them. */
const articleUsers = [{ username: 'alexa' }, { username: 'christie' }];

const maxUserId = 2 ** 32 - 1;
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/**
 * Reads which users a query asks for, in its order: `username` and `user_id`, each any number of times, and
 * `usernames`, several names separated by commas or spaces, as a form of a page has them.
 *
 * @throws BAD_QUERY, also for unknown parameters
 */
export function parseUsersQuery(query: URLSearchParams): readonly MessageInitShape<typeof UserSchema>[] {
  const users: MessageInitShape<typeof UserSchema>[] = [];
  for (const [name, value] of query) {
    switch (name) {
      case 'username':
        if (value === '') throw badQuery('username must not be empty');
        users.push({ username: value });
        break;
      case 'usernames':
        users.push(...separate(value).map((username) => ({ username })));
        break;
      case 'user_id':
        users.push({ userId: parseUserId(value) });
        break;
      case 'timeout':
        break;
      default:
        throw badQuery('a parameter is unknown: there are username, usernames, user_id and timeout');
    }
  }
  return users.length > 0 ? users : articleUsers;
}

/** The names that a query has, for its form: also those of a query that is not valid. */
export function namesIn(query: URLSearchParams): readonly string[] {
  return [...query].flatMap(([name, value]) => {
    if (name === 'usernames') return separate(value);
    return name === 'username' ? [value] : [];
  });
}

function separate(names: string): string[] {
  return names.split(/[\s,]+/).filter((it) => it !== '');
}

/**
 * Reads the deadline that a query asks for, in ms: `timeout`, at most once (`500ms`, `2s`, `1m`, or seconds without a
 * unit). `undefined` without it.
 *
 * @throws BAD_QUERY
 */
export function parseTimeout(query: URLSearchParams): number | undefined {
  const [text, ...more] = query.getAll('timeout');
  if (more.length > 0) throw badQuery('timeout must be given once');
  return text === undefined ? undefined : parseTimeoutMs(text);
}

function parseUserId(text: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (id >= 1 && id <= maxUserId) return id;
  throw badQuery(`user_id must be a number from 1 to ${maxUserId}`);
}

function parseTimeoutMs(text: string): number {
  const [, number, unit = 's'] = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m)?$/.exec(text) ?? [];
  const timeoutMs = Number(number) * (unitMs[unit] ?? Number.NaN);
  if (timeoutMs > 0) return timeoutMs;
  throw badQuery('timeout must be a time above zero such as 500ms or 2s');
}

/** The message says what is wrong, and quotes no value, since it is logged too. */
function badQuery(problem: string) {
  return rpcError('BAD_QUERY', problem);
}
