import type { ConnectError } from '@connectrpc/connect';
import {
  type CheckPasswordRequest,
  type CreateUserRequest,
  type DeleteUserRequest,
  type GetAccountRequest,
  type GetUsersRequest,
  GetUsersRequestSchema,
  type ListUsersRequest,
  type UpdateUserRequest,
  type UserKey,
} from '../../proto/gen/users_types_pb.js';
import type { Limits } from '../limits.ts';
import type { ElementLimit } from '../rpc/index.ts';
import { type FieldViolation, usersError } from './errors.ts';
import { type PagePlace, readPageToken } from './page-token.ts';

/** The wire contract's bounds of a field. Not settings: clients and stored users rely on them. */
export const passwordMinBytes = 8;
/** More than anybody types; argon2 costs the same for every length. */
export const passwordMaxBytes = 128;
/** The longest address that mail can be sent to (RFC 5321 section 4.5.3.1.3, less the angle brackets). */
export const emailMaxLength = 254;

/** More than any address or id of a session. */
const clientMaxLength = 128;

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

/** Whether a user can have this e-mail address. */
export function isEmail(text: string): boolean {
  return text.length <= emailMaxLength && emailPattern.test(text);
}

/**
 * Checks a sign-up against the rules of `users_types.proto`, all that need no store.
 *
 * @throws INVALID_FIELDS with every violation at once
 */
export function checkCreateUser({ username, password, email, requestId }: CreateUserRequest): void {
  refuse([
    ...wrongUsername(username),
    ...wrongPassword(password),
    ...wrongEmail(email),
    ...wrongRequestId(requestId),
  ]);
}

/**
 * Checks that user and password are given. Whether they can be anybody's is not told.
 *
 * @throws INVALID_FIELDS
 */
export function checkCheckPassword({ key, password, client }: CheckPasswordRequest): void {
  const violations = wrongKey(key);
  if (password === '') violations.push({ field: 'password', description: 'is required', reason: 'REQUIRED' });
  if (client.length > clientMaxLength) {
    const description = `must be at most ${clientMaxLength} characters, not ${client.length}`;
    violations.push({ field: 'client', description, reason: 'INVALID_CLIENT_LENGTH' });
  }
  refuse(violations);
}

/** Checks that a user is named, whoever it is. @throws INVALID_FIELDS */
export function checkGetAccount({ key }: GetAccountRequest): void {
  refuse(wrongKey(key));
}

/** Checks that a user is named, whoever it is. @throws INVALID_FIELDS */
export function checkDeleteUser({ key }: DeleteUserRequest): void {
  refuse(wrongKey(key));
}

/** What a user is to be. What is `undefined` stays; what is empty is removed. */
export type Wish = { readonly [Path in UpdatePath]?: string };

/** What `update_mask` may name. */
const updatePaths = ['username', 'email', 'password'] as const;
type UpdatePath = (typeof updatePaths)[number];

/**
 * Checks a change: what is to be keeps to the same rules as a sign-up.
 *
 * @returns what is to be changed
 * @throws INVALID_FIELDS with every violation at once
 */
export function checkUpdateUser(request: UpdateUserRequest): Wish {
  const { key, updateMask, requestId } = request;
  const violations = wrongKey(key);
  const asked = updateMask?.paths ?? [];
  const paths = updatePaths.filter((it) => (asked.length > 0 ? asked.includes(it) : request[it] !== ''));
  if (asked.some((path) => !updatePaths.some((it) => it === path))) {
    const description = `must name some of ${updatePaths.join(', ')}, and nothing else`;
    violations.push({ field: 'update_mask', description, reason: 'INVALID_MASK' });
  } else if (paths.length === 0) {
    const description = 'must name what is to change, as no field is given';
    violations.push({ field: 'update_mask', description, reason: 'NOTHING_TO_CHANGE' });
  }
  const wish = Object.fromEntries(paths.map((path) => [path, request[path]]));
  const { username, email = '', password = '' }: Wish = wish;
  if (username !== undefined) violations.push(...wrongUsername(username));
  refuse([...violations, ...wrongPassword(password), ...wrongEmail(email), ...wrongRequestId(requestId)]);
  return wish;
}

/**
 * Checks which users are to be listed.
 *
 * @returns where the page begins
 * @throws INVALID_FIELDS with every violation at once
 */
export function checkListUsers({ usernamePrefix, pageToken }: ListUsersRequest): PagePlace {
  const violations: FieldViolation[] = [];
  const prefix = usernamePrefix.toLowerCase();
  if (prefix !== '' && !isUsername(usernamePrefix)) {
    const description = 'must be what a username can begin with';
    violations.push({ field: 'username_prefix', description, reason: 'INVALID_PREFIX' });
  }
  const place = pageToken === '' ? { prefix, after: '' } : readPageToken(pageToken);
  if (place?.prefix !== prefix) {
    const description = 'must be the next_page_token of a page with the same username_prefix';
    violations.push({ field: 'page_token', description, reason: 'INVALID_PAGE_TOKEN' });
  }
  refuse(violations);
  return { prefix, after: place?.after ?? '' };
}

function refuse(violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw usersError('INVALID_FIELDS', { violations });
}

function wrongKey(key: UserKey | undefined): FieldViolation[] {
  if (key?.key.value) return [];
  return [{ field: 'key', description: 'is required', reason: 'REQUIRED' }];
}

function wrongUsername(username: string): FieldViolation[] {
  if (username === '') return [{ field: 'username', description: 'is required', reason: 'REQUIRED' }];
  if (isUsername(username)) return [];
  const description = 'must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit';
  return [{ field: 'username', description, reason: 'INVALID_USERNAME' }];
}

function wrongPassword(password: string): FieldViolation[] {
  if (password === '') return [];
  const bytes = Buffer.byteLength(password);
  if (bytes < passwordMinBytes || bytes > passwordMaxBytes) {
    const description = `must be ${passwordMinBytes} to ${passwordMaxBytes} bytes in UTF-8, not ${bytes}`;
    return [{ field: 'password', description, reason: 'INVALID_PASSWORD_LENGTH' }];
  }
  if (password.isWellFormed()) return [];
  // Its UTF-8 replaces what is unpaired, so that different passwords would be the same one.
  const description = 'must not contain unpaired surrogates';
  return [{ field: 'password', description, reason: 'INVALID_PASSWORD_TEXT' }];
}

function wrongEmail(email: string): FieldViolation[] {
  if (email.length > emailMaxLength) {
    const description = `must be at most ${emailMaxLength} characters, not ${email.length}`;
    return [{ field: 'email', description, reason: 'INVALID_EMAIL_LENGTH' }];
  }
  if (email === '' || emailPattern.test(email)) return [];
  const description = 'must be an address such as alexa@example.com';
  return [{ field: 'email', description, reason: 'INVALID_EMAIL' }];
}

function wrongRequestId(requestId: string): FieldViolation[] {
  if (requestId === '' || (uuidPattern.test(requestId) && requestId !== nilUuid)) return [];
  const description = 'must be a UUID such as 9f0e3b1c-6f0b-4c55-8f4a-2d7c3c1a5b9e, and not all zeros';
  return [{ field: 'request_id', description, reason: 'INVALID_REQUEST_ID' }];
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
