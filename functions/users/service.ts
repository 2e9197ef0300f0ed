import { hash, randomBytes, randomInt } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import type { Users } from '../../proto/gen/users_pb.js';
import {
  type CreateUserRequest,
  type CreateUserResult,
  CreateUserResultSchema,
  type GetUsersRequest,
  type GetUsersResult,
  GetUsersResultSchema,
  type User,
} from '../../proto/gen/users_types_pb.js';
import type { Limits } from '../limits.ts';
import { callerOf, inSpan, type Metrics, spend } from '../rpc/index.ts';
import { costOfCreateUser, costOfGetUsers } from './costs.ts';
import { type UsersErrorReason, usersError } from './errors.ts';
import { countMismatches } from './mismatches.ts';
import { passwordHasher, saltBytes } from './password.ts';
import { readAhead, readChunk, released } from './read-ahead.ts';
import { scopedRequestId } from './request-ids.ts';
import type { Candidate, Refusal, StoredUser, UserStore } from './store.ts';
import { callStore, storeSpan } from './store-call.ts';
import { checkCreateUser, checkGetUsers } from './validation.ts';

/** What the service is made of. */
export interface UsersServiceOptions {
  readonly store: UserStore;
  readonly limits: Limits;
  /** Whose share of the queue for hashes a call takes, such as `shareOf`. Default: all share the whole queue. */
  readonly clientOf?: (context: HandlerContext) => string;
  /** Where it counts what it does besides answering calls. Default: nowhere. */
  readonly metrics?: Metrics;
  /** A number from 1 to 2^32 - 1 for a new user. Default: a random one. */
  readonly newUserId?: () => number;
  /** The time in ms since the epoch, for the expiry of request ids. Default: `Date.now`. */
  readonly now?: () => number;
}

const refusalReasons = {
  username_taken: 'USERNAME_TAKEN',
  email_taken: 'EMAIL_TAKEN',
} as const satisfies Record<Refusal, UsersErrorReason>;

/** A retry draws new ids; one second keeps clients from retrying in a tight loop. */
const userIdRetryAfterMs = 1000;

/**
 * The Users service over a store: `CreateUser` and `GetUsers` as `proto/users.proto` describes them.
 *
 * `GetUsers` takes the users out of its request as it answers them, so a request serves one call.
 *
 * Its own errors are those of `errors.ts`. A call whose signal is aborted ends with the signal's reason, even if the
 * store hangs. If the store takes longer than `storeTimeoutMs`, the call ends with STORE_UNAVAILABLE.
 */
export function createUsersService(options: UsersServiceOptions): ServiceImpl<typeof Users> {
  const { store, limits, clientOf, newUserId = () => randomInt(1, 2 ** 32), now = Date.now } = options;
  const { maxQueuedHashes, maxQueuedHashesPerClient } = limits;
  const hasher = passwordHasher(
    { ...limits, maxQueuedHashesPerClient: clientOf ? maxQueuedHashesPerClient : maxQueuedHashes },
    options.metrics,
  );
  const mismatches = countMismatches(limits, now);

  /** Once it throws for a request id, the service answers nothing more about its sign-up, not even a right guess. */
  function checkRequestId(requestId: string | undefined): void {
    if (requestId !== undefined && mismatches.areTooMany(requestId)) throw usersError('REQUEST_ID_SPENT');
  }

  async function refuseTaken(candidate: Candidate, context: HandlerContext): Promise<void> {
    const refusal = await callStore((within) => store.precheck(candidate, within), {
      context,
      limits,
      retrySafe: true,
      span: storeSpan(context, store, 'precheck', 1),
    });
    if (refusal) throw usersError(refusalReasons[refusal]);
  }

  async function createUser(request: CreateUserRequest, context: HandlerContext): Promise<CreateUserResult> {
    checkCreateUser(request);
    spend(context, costOfCreateUser(request));
    const { username, password } = request;
    const email = request.email || undefined;
    const sentId = request.requestId.toLowerCase();
    const requestId = sentId === '' ? undefined : scopedRequestId(sentId, callerOf(context)?.id);
    checkRequestId(requestId);
    let passwordHash: string | undefined;
    if (password !== '') {
      // A hash takes 20 ms of a core, and others wait for it meanwhile.
      await refuseTaken({ username, email, requestId }, context);
      const salt = saltOf(requestId, username);
      const call = { signal: context.signal, client: clientOf?.(context) };
      passwordHash = await inSpan(context, 'password.hash', {}, () => hasher.hash(password, salt, call));
    }
    const valid = {
      username,
      email,
      passwordHash,
      request:
        requestId === undefined
          ? undefined
          : {
              id: requestId,
              fingerprint: fingerprintOf(request, passwordHash),
              expiresAtMs: now() + limits.requestIdTtlMs,
            },
    };
    for (let attempt = 1; attempt <= limits.maxUserIdAttempts; attempt += 1) {
      const signUp = { ...valid, userId: newUserId() };
      const result = await callStore((within) => store.signUp(signUp, within), {
        context,
        limits,
        // Without a request id, the repeat of a sign-up that did happen finds its own name taken.
        retrySafe: requestId !== undefined,
        span: storeSpan(context, store, 'signUp', 1),
      });
      switch (result.outcome) {
        case 'created':
          return create(CreateUserResultSchema, { user: result.user });
        case 'repeated':
          checkRequestId(requestId); // others may have come in the meantime
          return create(CreateUserResultSchema, { user: result.user });
        case 'request_id_reused':
          checkRequestId(requestId);
          if (requestId !== undefined) mismatches.add(requestId);
          throw usersError('REQUEST_ID_REUSED');
        case 'username_taken':
        case 'email_taken':
          throw usersError(refusalReasons[result.outcome]);
        case 'user_id_taken':
      }
    }
    throw usersError('USER_IDS_EXHAUSTED', { retryAfterMs: userIdRetryAfterMs });
  }

  async function* getUsers(
    request: GetUsersRequest,
    context: HandlerContext,
  ): AsyncGenerator<GetUsersResult, void, undefined> {
    checkGetUsers(request, limits);
    spend(context, costOfGetUsers(request));
    const { user: users } = request;
    if (users.length === 0) return;
    const options = { store, limits, context };
    // Most requests are one chunk, and there is nothing to read ahead.
    const isOneChunk = users.length <= limits.readChunkUsers;
    const chunks = isOneChunk ? [await readChunk(users, options)] : readAhead(users, options);
    for await (const { asked, found } of chunks) {
      let place = 0;
      for (const user of asked) {
        if (context.signal.aborted) throw context.signal.reason;
        asked[place] = released;
        yield resultOf(user, found[place]);
        place += 1;
      }
    }
  }

  return { createUser, getUsers };
}

/** With a request id it is derived, so that a repeat has the same hash and fingerprint; without one it is random. */
function saltOf(requestId: string | undefined, username: string): Uint8Array {
  if (requestId === undefined) return randomBytes(saltBytes);
  const digest = hash('sha256', JSON.stringify(['users password salt', requestId, username]), 'buffer');
  return digest.subarray(0, saltBytes);
}

/** It covers the hash, not the password: a fast digest of the password would undo what argon2 is for. */
function fingerprintOf({ username, email }: CreateUserRequest, passwordHash = ''): string {
  return hash('sha256', JSON.stringify([username, email, passwordHash]), 'base64url');
}

function resultOf(asked: User, found: StoredUser | undefined): GetUsersResult {
  return create(GetUsersResultSchema, {
    result: found ? { case: 'user', value: found } : { case: 'missing', value: asked },
  });
}
