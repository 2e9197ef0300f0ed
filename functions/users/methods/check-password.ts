import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type CheckPasswordRequest,
  type CheckPasswordResult,
  CheckPasswordResultSchema,
} from '../../../proto/gen/users_types_pb.js';
import { inSpan, spend } from '../../rpc/index.ts';
import { readAccount } from '../account.ts';
import { costOfPassword } from '../costs.ts';
import { usersError } from '../errors.ts';
import type { Account } from '../store.ts';
import { callStore, storeSpan } from '../store-call.ts';
import { guessedUser, userKeyOf } from '../user-key.ts';
import { checkCheckPassword } from '../validation.ts';
import type { MethodParts } from './method.ts';

/**
 * `CheckPassword` of `proto/users.proto`. Whoever is asked for, one account is read and one password is checked, so
 * that neither the answer nor its time tells who there is.
 */
export function checkPasswordMethod(parts: MethodParts) {
  const { store, limits, clientOf, hasher, guesses } = parts;

  /** The password was right, whether this succeeds or not: the next check makes up for it. */
  async function renew(from: Account, passwordHash: string, context: HandlerContext): Promise<void> {
    await callStore((within) => store.change({ from, etag: from.etag, passwordHash }, within), {
      context,
      limits,
      retrySafe: true,
      span: storeSpan(context, store, 'change', 1),
    }).catch(() => {});
  }

  return async function checkPassword(
    request: CheckPasswordRequest,
    context: HandlerContext,
  ): Promise<CheckPasswordResult> {
    checkCheckPassword(request);
    spend(context, costOfPassword(request));
    const caller = clientOf?.(context);
    const giveBack = guesses.take(guessedUser(request.key), caller ?? '', request.client);
    let isWrong = false;
    try {
      const account = await readAccount(userKeyOf(request.key), parts, context);
      const call = { signal: context.signal, client: caller, leftMs: context.timeoutMs() };
      const check = await inSpan(context, 'password.check', {}, () =>
        hasher.check(request.password, account?.passwordHash, call),
      );
      isWrong = !check.isRight;
      if (account === undefined || isWrong) throw usersError('WRONG_PASSWORD');
      if (check.renewed !== undefined) await renew(account, check.renewed, context);
      const { username, userId } = account;
      return create(CheckPasswordResultSchema, { user: { username, userId } });
    } finally {
      if (!isWrong) giveBack();
    }
  };
}
