import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createHandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { Users } from '../../proto/gen/users_pb.js';
import { CreateUserRequestSchema } from '../../proto/gen/users_types_pb.js';
import { StoreError } from './store.ts';

/** The users of the article that this service follows. */
export const sampleUsernames = ['alexa', 'christie'] as const;

/**
 * Adds the sample users that are not there yet. The service is called without a server: nobody has asked for these
 * users, so no gate has to let them in, and they have no line in the log.
 *
 * @returns the names of those that were added
 * @throws StoreError with one line if the store does not take them; what else `CreateUser` answers, but for a name that
 * is taken
 */
export async function addSamples(users: Pick<ServiceImpl<typeof Users>, 'createUser'>): Promise<string[]> {
  const method = Users.method.createUser;
  const added: string[] = [];
  for (const username of sampleUsernames) {
    const call = { service: Users, method, protocolName: 'local', requestMethod: 'POST', url: 'local:' };
    try {
      await users.createUser(create(CreateUserRequestSchema, { username }), createHandlerContext(call));
      added.push(username);
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      if (error.code === Code.AlreadyExists) continue;
      const { cause } = error;
      if (!(cause instanceof StoreError)) throw error;
      throw new StoreError(`cannot add the sample users: ${cause.message}`, { retrySafe: false, cause });
    }
  }
  return added;
}
