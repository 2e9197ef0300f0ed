import { randomUUID } from 'node:crypto';
import type { Client } from '@connectrpc/connect';
import { Users } from '../proto/gen/users_pb.js';
import { CallError } from './call/call-error.ts';
import { type ClientOptions, type Connected, openClient } from './call/service-client.ts';
import { defaults } from './defaults.ts';

export { CallError, type Violation } from './call/call-error.ts';
export {
  type ClientOptions,
  type Connected,
  openClient,
  type ServiceClient,
} from './call/service-client.ts';
export type { Tracer, TracerSpan } from './call/tracing.ts';

/** How to reach the Users service. Everything has a default; the endpoint's is where `npm run dev` serves. */
export interface UsersClientOptions extends Omit<ClientOptions, 'endpoint' | 'repeatable' | 'errorClass'> {
  /** `http://host:port`, `https://host:port` or `unix:/path`. */
  readonly endpoint?: string;
}

/**
 * Calls the Users service. Options of a call are connect's: `timeoutMs` (0 means no deadline), `headers`, `signal`,
 * `onHeader`, `onTrailer`. Whatever a call throws is a UsersError.
 */
export interface UsersClient extends Client<typeof Users>, Connected {
  /**
   * Signs a user up. Sends a `request_id` if the request has none, so that a retry finds the user that the first
   * attempt made; give your own to repeat the call later.
   */
  createUser: Client<typeof Users>['createUser'];
  /** Streams one result for each requested user. The call starts with the first read; leaving the loop cancels it. */
  getUsers: Client<typeof Users>['getUsers'];
}

/** How a call of the Users service failed. */
export class UsersError extends CallError {
  override toString(): string {
    return `UsersError: ${this.message}`;
  }
}

/**
 * A client of the Users service; it connects with its first call. The methods of other services that are called over
 * its `transport` must be repeatable, as all of Users are: reads, and CreateUser with its `request_id`.
 *
 * @throws TypeError for options that can't be meant, and UsersError INVALID_ARGUMENT or RESOURCE_EXHAUSTED for metadata
 * that can't be sent.
 */
export function createUsersClient(options: UsersClientOptions = {}): UsersClient {
  const { call, ...connected } = openClient(Users, {
    ...options,
    endpoint: options.endpoint ?? defaults.endpoint,
    repeatable: () => true,
    errorClass: UsersError,
  });
  return {
    ...connected,
    createUser: (request, callOptions) =>
      call.createUser({ ...request, requestId: request.requestId || randomUUID() }, callOptions),
    updateUser: (request, callOptions) =>
      call.updateUser({ ...request, requestId: request.requestId || randomUUID() }, callOptions),
    getUsers: call.getUsers,
    checkPassword: call.checkPassword,
    getAccount: call.getAccount,
    deleteUser: call.deleteUser,
    listUsers: call.listUsers,
  };
}
