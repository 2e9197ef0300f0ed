import type { ConnectError } from '@connectrpc/connect';
import {
  type CreateUserRequest,
  type GetUsersRequest,
  GetUsersRequestSchema,
} from '../../proto/gen/users_types_pb.js';
import type { Limits } from '../limits.ts';
import type { ElementLimit } from '../rpc/index.ts';
import { type FieldViolation, usersError } from './errors.ts';

/** The wire contract's bounds of a field. Not settings: clients and stored users rely on them. */
export const passwordMinBytes = 8;
/** More than anybody types; argon2 costs the same for every length. */
export const passwordMaxBytes = 128;
/** The longest address that mail can be sent to (RFC 5321 section 4.5.3.1.3, less the angle brackets). */
export const emailMaxLength = 254;

/** ASCII alone, so that two names never look alike and every store agrees on their case. */
const usernamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/**
 * One "@" between a local part and the labels of a domain, nothing invisible. No more: only a mail that arrives
 * shows that an address is right. `\p{C}` holds control, format and unpaired surrogate characters.
 */
const emailPattern = /^[^\s\p{C}@]+@[^\s\p{C}@.]+(?:\.[^\s\p{C}@.]+)*$/u;
const uuidPattern = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;
/** AIP-155 excludes it: it is what a client sends that forgot to fill it in, for every call the same. */
const nilUuid = '00000000-0000-0000-0000-000000000000';

/** Whether a user can have this name. */
export function isUsername(text: string): boolean {
  return usernamePattern.test(text);
}

/**
 * Checks a sign-up against the rules of `users_types.proto`, all that need no store.
 *
 * @throws INVALID_FIELDS with every violation at once
 */
export function checkCreateUser({ username, password, email, requestId }: CreateUserRequest): void {
  const violations: FieldViolation[] = [];
  if (username === '') {
    violations.push({ field: 'username', description: 'is required', reason: 'REQUIRED' });
  } else if (!isUsername(username)) {
    const description = 'must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit';
    violations.push({ field: 'username', description, reason: 'INVALID_USERNAME' });
  }
  if (password !== '') {
    const bytes = Buffer.byteLength(password);
    if (bytes < passwordMinBytes || bytes > passwordMaxBytes) {
      const description = `must be ${passwordMinBytes} to ${passwordMaxBytes} bytes in UTF-8, not ${bytes}`;
      violations.push({ field: 'password', description, reason: 'INVALID_PASSWORD_LENGTH' });
    } else if (!password.isWellFormed()) {
      // Its UTF-8 replaces what is unpaired, so that different passwords would be the same one.
      const description = 'must not contain unpaired surrogates';
      violations.push({ field: 'password', description, reason: 'INVALID_PASSWORD_TEXT' });
    }
  }
  if (email.length > emailMaxLength) {
    const description = `must be at most ${emailMaxLength} characters, not ${email.length}`;
    violations.push({ field: 'email', description, reason: 'INVALID_EMAIL_LENGTH' });
  } else if (email !== '' && !emailPattern.test(email)) {
    const description = 'must be an address such as alexa@example.com';
    violations.push({ field: 'email', description, reason: 'INVALID_EMAIL' });
  }
  if (requestId !== '' && (!uuidPattern.test(requestId) || requestId === nilUuid)) {
    const description = 'must be a UUID such as 9f0e3b1c-6f0b-4c55-8f4a-2d7c3c1a5b9e, and not all zeros';
    violations.push({ field: 'request_id', description, reason: 'INVALID_REQUEST_ID' });
  }
  if (violations.length > 0) throw usersError('INVALID_FIELDS', { violations });
}

/** How many users a request may ask for. The server counts them before it makes the message. */
export function elementLimits(limits: Pick<Limits, 'maxUsersPerRequest'>): readonly ElementLimit[] {
  const { maxUsersPerRequest } = limits;
  const error = (users: number) => tooManyUsers(users, maxUsersPerRequest);
  return [{ field: GetUsersRequestSchema.field.user, maxElements: maxUsersPerRequest, error }];
}

/**
 * Checks how many users are asked for, for callers whose server does not count. It does not check names: an invalid
 * name cannot exist, so the user is missing.
 *
 * @throws TOO_MANY_USERS
 */
export function checkGetUsers({ user }: GetUsersRequest, limits: Pick<Limits, 'maxUsersPerRequest'>): void {
  if (user.length > limits.maxUsersPerRequest) throw tooManyUsers(user.length, limits.maxUsersPerRequest);
}

function tooManyUsers(users: number, maxUsers: number): ConnectError {
  const description = `must be at most ${maxUsers} users, not ${users}`;
  return usersError('TOO_MANY_USERS', {
    violations: [{ field: 'user', description, reason: 'TOO_MANY_USERS' }],
  });
}
