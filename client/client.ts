import { randomUUID } from 'node:crypto';
import { type DescMethod, isMessage, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { Users } from '../proto/gen/users_pb.js';
import {
  CreateUserRequestSchema,
  DeleteUserRequestSchema,
  type ListUsersRequestSchema,
  UpdateUserRequestSchema,
  type User,
} from '../proto/gen/users_types_pb.js';
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
 * `onHeader`, `onTrailer`. Whatever a call throws is a UsersError. Calls are retried: each says why, or when, that is
 * safe.
 */
export interface UsersClient extends Client<typeof Users>, Connected {
  /**
   * Signs a user up. Sends a `request_id` if the request has none, so that a retry finds the user that the first
   * attempt made; give your own to repeat the call later.
   */
  createUser: Client<typeof Users>['createUser'];
  /** Streams one result for each requested user. The call starts with the first read; leaving the loop cancels it. */
  getUsers: Client<typeof Users>['getUsers'];
  /**
   * Returns the user whose password it is. Else it throws UNAUTHENTICATED with the reason `WRONG_PASSWORD`, whether or
   * not there is such a user. A credential of your own that is missing or refused is UNAUTHENTICATED too: look at
   * `reason`. After too many wrong passwords it waits for the time that the server asks for, where the deadline allows,
   * and else throws RESOURCE_EXHAUSTED with `retryAfterMs`.
   */
  checkPassword: Client<typeof Users>['checkPassword'];
  /** Returns what is kept of a user: e-mail address, when it signed up, etag. Throws NOT_FOUND without one. */
  getAccount: Client<typeof Users>['getAccount'];
  /**
   * Changes what `updateMask` names, as in `{ paths: ['email'] }`; without it, what is not empty. Sends a `request_id`
   * if the request has none, so that a retry changes nothing more. With the `etag` of an account it throws ABORTED if
   * the user has changed since: that is not retried, since only you can decide again.
   */
  updateUser: Client<typeof Users>['updateUser'];
  /**
   * Removes a user. Once it is gone, a repeat returns an empty result: so may a call whose first attempt removed the
   * user and was answered by nobody. A request that names neither a `user_id` nor an `etag` is sent once, unless no
   * server has begun it: a name or an address may be another user's by the next attempt.
   */
  deleteUser: Client<typeof Users>['deleteUser'];
  /** Returns one page of users, in the order of their names. `listAllUsers` reads all pages. */
  listUsers: Client<typeof Users>['listUsers'];
  /**
   * All users that a request of `listUsers` asks for, page after page: from `pageToken` on, `pageSize` at a time. A
   * page is asked for once the users of the one before are taken; leaving the loop ends it. The options are those of
   * each page: so is the deadline.
   */
  listAllUsers(
    request?: MessageInitShape<typeof ListUsersRequestSchema>,
    options?: CallOptions,
  ): AsyncIterable<User>;
}

/** How a call of the Users service failed. */
export class UsersError extends CallError {
  override toString(): string {
    return `UsersError: ${this.message}`;
  }
}

/**
 * A client of the Users service; it connects with its first call. The methods of other services that are called over
 * its `transport` must be repeatable: they are retried as reads are.
 *
 * @throws TypeError for options that can't be meant, and UsersError INVALID_ARGUMENT or RESOURCE_EXHAUSTED for metadata
 * that can't be sent.
 */
export function createUsersClient(options: UsersClientOptions = {}): UsersClient {
  const { call, ...connected } = openClient(Users, {
    ...options,
    endpoint: options.endpoint ?? defaults.endpoint,
    repeatable: isRepeatable,
    errorClass: UsersError,
  });
  return {
    ...connected,
    ...call,
    createUser: (request, callOptions) =>
      call.createUser({ ...request, requestId: request.requestId || randomUUID() }, callOptions),
    updateUser: (request, callOptions) =>
      call.updateUser({ ...request, requestId: request.requestId || randomUUID() }, callOptions),
    async *listAllUsers(request = {}, callOptions) {
      let { pageToken = '' } = request;
      do {
        const page = await call.listUsers({ ...request, pageToken }, callOptions);
        yield* page.user;
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
    },
  };
}

/** Whether a second try of a request can't do more than the first one may have done. */
function isRepeatable(_: DescMethod, request: Message): boolean {
  if (isMessage(request, CreateUserRequestSchema)) return request.requestId !== '';
  if (isMessage(request, UpdateUserRequestSchema)) return request.requestId !== '' || request.etag !== '';
  // A server may free a name at once (DELETED_NAME_HOLD_MS), and whose it is then is removed by the second try.
  if (isMessage(request, DeleteUserRequestSchema))
    return request.key?.key.case === 'userId' || request.etag !== '';
  return true;
}
