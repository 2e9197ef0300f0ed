import type { MessageInitShape } from '@bufbuild/protobuf';
import type { UserSchema } from '../../proto/gen/users_types_pb.js';

/** What `GET /users/` asks for. */
export interface UsersQuery {
  /** In the order of the query. */
  readonly users: readonly MessageInitShape<typeof UserSchema>[];
  /** Above zero; without it, the default of the service. */
  readonly timeoutMs?: number;
}

/** A query that can't be understood. The message says why, for the client to read. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
}

/** The users of the article: what a query without a user asks for. */
const articleUsers = [{ username: 'alexa' }, { username: 'christie' }];

const maxUserId = 2 ** 32 - 1;
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/**
 * Reads the query of a URL: `username` and `user_id`, each any number of times, and `timeout` once (`500ms`,
 * `2s`, `1m`, or seconds without a unit).
 *
 * @throws QueryError
 */
export function parseUsersQuery(url: string): UsersQuery {
  const start = url.indexOf('?');
  const users: MessageInitShape<typeof UserSchema>[] = [];
  let timeoutMs: number | undefined;
  for (const [name, value] of new URLSearchParams(start === -1 ? '' : url.slice(start + 1))) {
    switch (name) {
      case 'username':
        if (value === '') throw new QueryError('username must not be empty');
        users.push({ username: value });
        break;
      case 'user_id':
        users.push({ userId: parseUserId(value) });
        break;
      case 'timeout':
        if (timeoutMs !== undefined) throw new QueryError('timeout must be given once');
        timeoutMs = parseTimeoutMs(value);
        break;
      default:
        throw new QueryError(
          `unknown parameter ${JSON.stringify(name)}: there are username, user_id and timeout`,
        );
    }
  }
  return { users: users.length > 0 ? users : articleUsers, timeoutMs };
}

function parseUserId(text: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (id >= 1 && id <= maxUserId) return id;
  throw new QueryError(`user_id must be a number from 1 to ${maxUserId}, not ${JSON.stringify(text)}`);
}

function parseTimeoutMs(text: string): number {
  const [, number, unit = 's'] = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m)?$/.exec(text) ?? [];
  const timeoutMs = Number(number) * (unitMs[unit] ?? Number.NaN);
  if (timeoutMs > 0) return timeoutMs;
  throw new QueryError(`timeout must be a time above zero such as 500ms or 2s, not ${JSON.stringify(text)}`);
}
