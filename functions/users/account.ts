import { hash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { HandlerContext } from '@connectrpc/connect';
import { type Account as AccountMessage, AccountSchema } from '../../proto/gen/users_types_pb.js';
import { createdAtOf } from './created-at.ts';
import type { MethodParts } from './methods/method.ts';
import type { Account, UserKey } from './store.ts';
import { callStore, storeSpan } from './store-call.ts';

/** Reads all that is kept of a user. Throws as `callStore` does. */
export function readAccount(
  key: UserKey,
  { store, limits }: Pick<MethodParts, 'store' | 'limits'>,
  context: HandlerContext,
): Promise<Account | undefined> {
  return callStore((within) => store.account(key, within), {
    context,
    limits,
    retrySafe: true,
    span: storeSpan(context, store, 'account', 1),
  });
}

/** What those are told of an account who may see it. */
export function accountMessage(account: Account): AccountMessage {
  const { username, userId, email = '', passwordHash } = account;
  const createdAtMs = createdAtOf(account);
  return create(AccountSchema, {
    user: { username, userId },
    email,
    hasPassword: passwordHash !== undefined,
    createdAt: createdAtMs === undefined ? undefined : timestampFromMs(createdAtMs),
    etag: etagOf(account),
  });
}

/** The etag that callers see: with the user's id in it, so that it is another one of whoever has the name next. */
export function etagOf({ userId, etag }: Account): string {
  return hash('sha256', JSON.stringify(['users etag', userId, etag]), 'base64url').slice(0, etagCharacters);
}

/** 132 bits. */
const etagCharacters = 22;
