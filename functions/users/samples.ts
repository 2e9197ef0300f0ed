import { type Client, Code, ConnectError } from '@connectrpc/connect';
import type { Users } from '../../proto/gen/users_pb.js';

/** The users of the article that this service follows. */
export const sampleUsernames = ['alexa', 'christie'] as const;

/**
 * Adds the sample users that are not there yet.
 *
 * @returns the names of those that were added
 * @throws what `CreateUser` answers, but for a name that is taken
 */
export async function addSamples(client: Client<typeof Users>): Promise<string[]> {
  const added: string[] = [];
  for (const username of sampleUsernames) {
    try {
      await client.createUser({ username });
      added.push(username);
    } catch (error) {
      if (!(error instanceof ConnectError && error.code === Code.AlreadyExists)) throw error;
    }
  }
  return added;
}
