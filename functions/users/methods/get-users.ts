import type { HandlerContext } from '@connectrpc/connect';
import {
  type GetUsersRequest,
  type GetUsersResult,
  GetUsersResultSchema,
  type User,
  UserSchema,
} from '../../../proto/gen/users_types_pb.js';
import { inParts, spend } from '../../rpc/index.ts';
import { costOfGetUsers } from '../costs.ts';
import type { StoredUser } from '../store.ts';
import { checkGetUsers } from '../validation.ts';
import type { MethodParts } from './method.ts';
import { type Chunk, readAhead, readChunk, released } from './read-ahead.ts';

/** `GetUsers` of `proto/users.proto`. It takes the users out of its request as it answers them. */
export function getUsersMethod({ store, limits }: Pick<MethodParts, 'store' | 'limits'>) {
  async function* read(
    request: GetUsersRequest,
    context: HandlerContext,
  ): AsyncGenerator<Iterable<GetUsersResult>, void, undefined> {
    checkGetUsers(request, limits);
    spend(context, costOfGetUsers(request));
    const { user: users } = request;
    if (users.length === 0) return;
    const options = { store, limits, context };
    // Most requests are one chunk, and there is nothing to read ahead.
    if (users.length <= limits.readChunkUsers)
      yield resultsOf(await readChunk(users, options), context.signal);
    else for await (const chunk of readAhead(users, options)) yield resultsOf(chunk, context.signal);
  }

  return function getUsers(request: GetUsersRequest, context: HandlerContext): AsyncIterable<GetUsersResult> {
    return inParts(read(request, context));
  };
}

function* resultsOf(
  { asked, found }: Chunk,
  signal: AbortSignal,
): Generator<GetUsersResult, void, undefined> {
  let place = 0;
  for (const user of asked) {
    if (signal.aborted) throw signal.reason;
    asked[place] = released;
    yield resultOf(user, found[place]);
    place += 1;
  }
}

/** All that `create` would make of them: a literal is quicker, and the compiler tells of a field that is missing. */
function resultOf(asked: User, found: StoredUser | undefined): GetUsersResult {
  if (found === undefined) return { $typeName: resultType, result: { case: 'missing', value: asked } };
  const { username, userId } = found;
  return {
    $typeName: resultType,
    result: { case: 'user', value: { $typeName: userType, username, userId } },
  };
}

const resultType = GetUsersResultSchema.typeName;
const userType = UserSchema.typeName;
