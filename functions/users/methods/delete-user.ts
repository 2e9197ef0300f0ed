import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type DeleteUserRequest,
  type DeleteUserResult,
  DeleteUserResultSchema,
} from '../../../proto/gen/users_types_pb.js';
import { etagOf, readAccount } from '../account.ts';
import { usersError } from '../errors.ts';
import { callStore, storeSpan } from '../store-call.ts';
import { backoff } from '../stores/backoff.ts';
import { userKeyOf } from '../user-key.ts';
import { checkDeleteUser } from '../validation.ts';
import { contendedRetryAfterMs, type MethodParts } from './method.ts';

/** `DeleteUser` of `proto/users.proto`. */
export function deleteUserMethod(parts: Pick<MethodParts, 'store' | 'limits' | 'now'>) {
  const { store, limits, now } = parts;

  return async function deleteUser(
    request: DeleteUserRequest,
    context: HandlerContext,
  ): Promise<DeleteUserResult> {
    checkDeleteUser(request);
    const key = userKeyOf(request.key);
    // Where a name is free at once, a repeat by name may find another user.
    const retrySafe = 'userId' in key || request.etag !== '' || limits.deletedNameHoldMs > 0;
    for (let attempt = 1; attempt <= limits.maxUpdateTries; attempt += 1) {
      if (attempt > 1) await backoff(attempt - 1, context.signal);
      const from = await readAccount(key, parts, context);
      if (!from) return create(DeleteUserResultSchema);
      if (request.etag !== '' && request.etag !== etagOf(from)) throw usersError('ETAG_OUTDATED');
      const latest = request.etag === '' ? key : undefined;
      const removal = { from, latest, heldUntilMs: now() + limits.deletedNameHoldMs };
      const isGone = await callStore((within) => store.remove(removal, within), {
        context,
        limits,
        retrySafe,
        span: storeSpan(context, store, 'remove', 1),
      });
      const { username, userId } = from;
      if (isGone) return create(DeleteUserResultSchema, { user: { username, userId } });
    }
    throw usersError('USER_CONTENDED', { retryAfterMs: contendedRetryAfterMs });
  };
}
