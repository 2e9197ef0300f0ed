import { hash, randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type UpdateUserRequest,
  type UpdateUserResult,
  UpdateUserResultSchema,
} from '../../../proto/gen/users_types_pb.js';
import { inSpan, spend } from '../../rpc/index.ts';
import { accountMessage, etagOf, readAccount } from '../account.ts';
import { costOfPassword } from '../costs.ts';
import { usersError } from '../errors.ts';
import { saltOf } from '../password.ts';
import { requestIdOf } from '../request-ids.ts';
import type { Account, KnownRequest, UserKey } from '../store.ts';
import { callStore, storeSpan } from '../store-call.ts';
import { backoff } from '../stores/backoff.ts';
import { folded } from '../stores/folded.ts';
import { userKeyOf } from '../user-key.ts';
import { checkUpdateUser, type Wish } from '../validation.ts';
import { refusalReasons } from './create-user.ts';
import { contendedRetryAfterMs, type MethodParts } from './method.ts';

/** Of a new etag. */
const etagBytes = 12;

/** `UpdateUser` of `proto/users.proto`. */
export function updateUserMethod(parts: MethodParts) {
  const { store, limits, clientOf, now, hasher, mismatches } = parts;

  function recall(requestId: string, context: HandlerContext): Promise<KnownRequest | undefined> {
    return callStore((within) => store.recall(requestId, within), {
      context,
      limits,
      retrySafe: true,
      span: storeSpan(context, store, 'recall', 1),
    });
  }

  /** A name or an address that another has costs no hash. Whether they can be had, the store decides. */
  async function refuseTaken(
    { username, email }: Wish,
    from: Account,
    context: HandlerContext,
  ): Promise<void> {
    const isTaken = async (key: UserKey) => {
      const owner = await readAccount(key, parts, context);
      return owner !== undefined && owner.userId !== from.userId;
    };
    const isOther = (wanted = '', own = '') => wanted !== '' && folded(wanted) !== folded(own);
    if (username !== undefined && isOther(username, from.username) && (await isTaken({ username })))
      throw usersError('USERNAME_TAKEN');
    if (email !== undefined && isOther(email, from.email) && (await isTaken({ email })))
      throw usersError('EMAIL_TAKEN');
  }

  /** The request was seen before: it changes nothing, and gets what there is now. */
  async function repeated(
    known: KnownRequest,
    requestId: string,
    fingerprint: string,
    context: HandlerContext,
  ): Promise<UpdateUserResult> {
    mismatches.check(requestId); // others may have come in the meantime
    if (known.fingerprint !== fingerprint) {
      mismatches.add(requestId);
      throw usersError('REQUEST_ID_REUSED');
    }
    const account = await readAccount({ userId: known.userId }, parts, context);
    if (account === undefined) throw usersError('USER_NOT_FOUND');
    return create(UpdateUserResultSchema, { account: accountMessage(account) });
  }

  return async function updateUser(
    request: UpdateUserRequest,
    context: HandlerContext,
  ): Promise<UpdateUserResult> {
    const wish = checkUpdateUser(request);
    spend(context, costOfPassword(wish));
    const key = userKeyOf(request.key);
    const requestId = requestIdOf(request, context);
    mismatches.check(requestId);
    let passwordHash: string | null | undefined = wish.password === '' ? null : undefined;
    const hashOnce = async () => {
      if (!wish.password || passwordHash !== undefined) return;
      const { password } = wish;
      const salt = saltOf(requestId, JSON.stringify(key));
      const call = { signal: context.signal, client: clientOf?.(context), leftMs: context.timeoutMs() };
      passwordHash = await inSpan(context, 'password.hash', {}, () => hasher.hash(password, salt, call));
    };
    for (let attempt = 1; attempt <= limits.maxUpdateTries; attempt += 1) {
      if (attempt > 1) await backoff(attempt - 1, context.signal);
      const from = await readAccount(key, parts, context);
      // After the user is read: what a first request has changed in the meantime, this one knows to be a repeat.
      const known = requestId === undefined ? undefined : await recall(requestId, context);
      if (requestId !== undefined && known !== undefined) {
        await hashOnce();
        return repeated(known, requestId, fingerprintOf(request, wish, passwordHash), context);
      }
      if (from === undefined) throw usersError('USER_NOT_FOUND');
      if (request.etag !== '' && request.etag !== etagOf(from)) throw usersError('ETAG_OUTDATED');
      if (wish.password && passwordHash === undefined) {
        // A hash takes 20 ms of a core, and others wait for it meanwhile.
        await refuseTaken(wish, from, context);
        await hashOnce();
      }
      const change = {
        from,
        latest: request.etag === '' ? key : undefined,
        etag: randomBytes(etagBytes).toString('base64url'),
        username: wish.username,
        email: wish.email === '' ? null : wish.email,
        passwordHash,
        request:
          requestId === undefined
            ? undefined
            : {
                id: requestId,
                fingerprint: fingerprintOf(request, wish, passwordHash),
                expiresAtMs: now() + limits.requestIdTtlMs,
              },
      };
      const result = await callStore((within) => store.change(change, within), {
        context,
        limits,
        // Without a request id, a repeat may undo what another has changed since.
        retrySafe: requestId !== undefined,
        span: storeSpan(context, store, 'change', 1),
      });
      switch (result.outcome) {
        case 'changed':
          return create(UpdateUserResultSchema, { account: accountMessage(result.account) });
        case 'username_taken':
        case 'email_taken':
          throw usersError(refusalReasons[result.outcome]);
        case 'outdated':
        case 'request_id_known':
      }
    }
    throw usersError('USER_CONTENDED', { retryAfterMs: contendedRetryAfterMs });
  };
}

/** It covers the hash, not the password: a fast digest of the password would undo what argon2 is for. */
function fingerprintOf(
  { key, etag }: UpdateUserRequest,
  { username, email }: Wish,
  passwordHash: string | null | undefined,
): string {
  const { case: kind, value } = key?.key ?? { case: undefined };
  // A field that is left alone is `null`; one that is removed is empty.
  const asked = [
    kind,
    value,
    username ?? null,
    email ?? null,
    passwordHash === null ? '' : (passwordHash ?? null),
  ];
  return hash('sha256', JSON.stringify(['users change', ...asked, etag]), 'base64url');
}
