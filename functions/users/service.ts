import { randomInt } from 'node:crypto';
import type { ServiceImpl } from '@connectrpc/connect';
import type { Users } from '../../proto/gen/users_pb.js';
import { Guesses } from './guesses.ts';
import { checkPasswordMethod } from './methods/check-password.ts';
import { createUserMethod } from './methods/create-user.ts';
import { deleteUserMethod } from './methods/delete-user.ts';
import { getAccountMethod } from './methods/get-account.ts';
import { getUsersMethod } from './methods/get-users.ts';
import { listUsersMethod } from './methods/list-users.ts';
import type { UsersServiceOptions } from './methods/method.ts';
import { updateUserMethod } from './methods/update-user.ts';
import { countMismatches } from './mismatches.ts';
import { passwordHasher } from './password.ts';

export type { UsersServiceOptions } from './methods/method.ts';

/**
 * The Users service over a store, as `proto/users.proto` describes it.
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
  const guesses = new Guesses(limits);
  const parts = { store, limits, clientOf, newUserId, now, hasher, mismatches, guesses };
  return {
    createUser: createUserMethod(parts),
    getUsers: getUsersMethod(parts),
    checkPassword: checkPasswordMethod(parts),
    getAccount: getAccountMethod(parts),
    updateUser: updateUserMethod(parts),
    deleteUser: deleteUserMethod(parts),
    listUsers: listUsersMethod(parts),
  };
}
