import { hash } from 'node:crypto';
import type { UserKey as UserKeyMessage } from '../../proto/gen/users_types_pb.js';
import type { UserKey } from './store.ts';
import { folded } from './stores/folded.ts';
import { isEmail, isUsername } from './validation.ts';

/** Nobody has the id zero. */
const nobody: UserKey = { userId: 0 };

/**
 * Whom a key names, for a store. A name or an address that is not valid cannot exist, so it never reaches the store.
 */
export function userKeyOf(message: UserKeyMessage | undefined): UserKey {
  const { case: kind, value } = message?.key ?? { case: undefined };
  switch (kind) {
    case 'username':
      return isUsername(value) ? { username: value } : nobody;
    case 'email':
      return isEmail(value) ? { email: value } : nobody;
    case 'userId':
      return { userId: value };
    case undefined:
      return nobody;
  }
}

/**
 * Names whomever a key means, whether there is such a user or not, to count guesses: the same for what differs only in
 * case, of one length, and no address that would stay in memory.
 */
export function guessedUser(message: UserKeyMessage | undefined): string {
  const { case: kind, value } = message?.key ?? { case: undefined };
  return hash(
    'sha256',
    JSON.stringify([kind, typeof value === 'string' ? folded(value) : value]),
    'base64url',
  );
}
