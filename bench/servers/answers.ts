import { create } from '@bufbuild/protobuf';
import {
  type CreateUserRequest,
  type CreateUserResult,
  CreateUserResultSchema,
  type GetUsersRequest,
  type GetUsersResult,
  GetUsersResultSchema,
} from '../../proto/gen/users_types_pb.js';

/** The least that the methods can do, the same in every server: what is left is the cost of serving. */
export const userId = 3_000_000_000;

/** Signs nobody up, and says it did. */
export function createUser(request: CreateUserRequest): CreateUserResult {
  return create(CreateUserResultSchema, { user: { username: request.username, userId } });
}

/** Finds everybody who is asked for. */
export function* getUsers(request: GetUsersRequest): Generator<GetUsersResult, void, undefined> {
  for (const user of request.user) {
    yield create(GetUsersResultSchema, {
      result: { case: 'user', value: { username: user.username, userId } },
    });
  }
}
