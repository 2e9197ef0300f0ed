import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type ListUsersRequest,
  type ListUsersResult,
  ListUsersResultSchema,
} from '../../../proto/gen/users_types_pb.js';
import { spend } from '../../rpc/index.ts';
import { costOfListUsers } from '../costs.ts';
import { pageSizeOf, pageToken } from '../page-token.ts';
import { callStore, storeSpan } from '../store-call.ts';
import { checkListUsers } from '../validation.ts';
import type { MethodParts } from './method.ts';

/** `ListUsers` of `proto/users.proto`. */
export function listUsersMethod({ store, limits }: Pick<MethodParts, 'store' | 'limits'>) {
  return async function listUsers(
    request: ListUsersRequest,
    context: HandlerContext,
  ): Promise<ListUsersResult> {
    const { prefix, after } = checkListUsers(request);
    const maxUsers = pageSizeOf(request, limits);
    spend(context, costOfListUsers(maxUsers, prefix));
    const { users, next } = await callStore((within) => store.list({ prefix, after, maxUsers }, within), {
      context,
      limits,
      retrySafe: true,
      span: storeSpan(context, store, 'list', maxUsers),
    });
    const nextPageToken = next === undefined ? '' : pageToken({ prefix, after: next });
    return create(ListUsersResultSchema, { user: [...users], nextPageToken });
  };
}
