import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type GetAccountRequest,
  type GetAccountResult,
  GetAccountResultSchema,
} from '../../../proto/gen/users_types_pb.js';
import { accountMessage, readAccount } from '../account.ts';
import { usersError } from '../errors.ts';
import { userKeyOf } from '../user-key.ts';
import { checkGetAccount } from '../validation.ts';
import type { MethodParts } from './method.ts';

/** `GetAccount` of `proto/users.proto`. */
export function getAccountMethod(parts: Pick<MethodParts, 'store' | 'limits'>) {
  return async function getAccount(
    request: GetAccountRequest,
    context: HandlerContext,
  ): Promise<GetAccountResult> {
    checkGetAccount(request);
    const account = await readAccount(userKeyOf(request.key), parts, context);
    if (!account) throw usersError('USER_NOT_FOUND');
    return create(GetAccountResultSchema, { account: accountMessage(account) });
  };
}
