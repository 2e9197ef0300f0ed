import { hash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type CreateUserRequest,
  type CreateUserResult,
  CreateUserResultSchema,
} from '../../../proto/gen/users_types_pb.js';
import { inSpan, spend } from '../../rpc/index.ts';
import { costOfPassword } from '../costs.ts';
import { type UsersErrorReason, usersError } from '../errors.ts';
import { saltOf } from '../password.ts';
import { requestIdOf } from '../request-ids.ts';
import type { Candidate, Refusal } from '../store.ts';
import { callStore, storeSpan } from '../store-call.ts';
import { checkCreateUser } from '../validation.ts';
import type { MethodParts } from './method.ts';

/** Why a name or an address can't be had, for the caller. */
export const refusalReasons = {
  username_taken: 'USERNAME_TAKEN',
  email_taken: 'EMAIL_TAKEN',
} as const satisfies Record<Refusal, UsersErrorReason>;

/** A retry draws new ids; one second keeps clients from retrying in a tight loop. */
const userIdRetryAfterMs = 1000;

/** `CreateUser` of `proto/users.proto`. */
export function createUserMethod(parts: MethodParts) {
  const { store, limits, clientOf, newUserId, now, hasher, mismatches } = parts;

  async function refuseTaken(candidate: Candidate, context: HandlerContext): Promise<void> {
    const refusal = await callStore((within) => store.precheck(candidate, within), {
      context,
      limits,
      retrySafe: true,
      span: storeSpan(context, store, 'precheck', 1),
    });
    if (refusal) throw usersError(refusalReasons[refusal]);
  }

  return async function createUser(
    request: CreateUserRequest,
    context: HandlerContext,
  ): Promise<CreateUserResult> {
    checkCreateUser(request);
    spend(context, costOfPassword(request));
    const { username, password } = request;
    const email = request.email || undefined;
    const requestId = requestIdOf(request, context);
    mismatches.check(requestId);
    let passwordHash: string | undefined;
    if (password !== '') {
      // A hash takes 20 ms of a core, and others wait for it meanwhile.
      await refuseTaken({ username, email, requestId }, context);
      const salt = saltOf(requestId, username);
      const call = { signal: context.signal, client: clientOf?.(context), leftMs: context.timeoutMs() };
      passwordHash = await inSpan(context, 'password.hash', {}, () => hasher.hash(password, salt, call));
    }
    const nowMs = now();
    const valid = {
      username,
      email,
      passwordHash,
      createdAtMs: nowMs,
      request:
        requestId === undefined
          ? undefined
          : {
              id: requestId,
              fingerprint: fingerprintOf(request, passwordHash),
              expiresAtMs: nowMs + limits.requestIdTtlMs,
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
          mismatches.check(requestId); // others may have come in the meantime
          return create(CreateUserResultSchema, { user: result.user });
        case 'request_id_reused':
          mismatches.check(requestId);
          if (requestId !== undefined) mismatches.add(requestId);
          throw usersError('REQUEST_ID_REUSED');
        case 'username_taken':
        case 'email_taken':
          throw usersError(refusalReasons[result.outcome]);
        case 'user_id_taken':
      }
    }
    throw usersError('USER_IDS_EXHAUSTED', { retryAfterMs: userIdRetryAfterMs });
  };
}

/** It covers the hash, not the password: a fast digest of the password would undo what argon2 is for. */
function fingerprintOf({ username, email }: CreateUserRequest, passwordHash = ''): string {
  return hash('sha256', JSON.stringify([username, email, passwordHash]), 'base64url');
}
