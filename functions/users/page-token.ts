import type { ListUsersRequest } from '../../proto/gen/users_types_pb.js';
import type { Limits } from '../limits.ts';
import type { Listing } from './store.ts';

/** Where a page begins. */
export type PagePlace = Pick<Listing, 'prefix' | 'after'>;

/** What a page has if its request does not say. */
const defaultPageUsers = 100;

/** Two texts of what folded names are made of; `~` is greater than all of it. */
const placePattern = /^(?<prefix>[a-z0-9._-]{0,64}):(?<after>[a-z0-9][a-z0-9._-]{0,63}~?)$/;

/** How many users a page has at most. */
export function pageSizeOf(
  { pageSize }: Pick<ListUsersRequest, 'pageSize'>,
  { maxListedUsers }: Pick<Limits, 'maxListedUsers'>,
): number {
  return Math.min(pageSize || defaultPageUsers, maxListedUsers);
}

/** Writes a place down as callers see it. They need not know what it says, but it is no secret: they saw the name. */
export function pageToken({ prefix, after }: PagePlace): string {
  return Buffer.from(`${prefix}:${after}`).toString('base64url');
}

/** Reads a token; `undefined` if it is none that `pageToken` has made. */
export function readPageToken(token: string): PagePlace | undefined {
  if (token.length > maxTokenCharacters) return undefined;
  const { prefix, after } =
    placePattern.exec(Buffer.from(token, 'base64url').toString('latin1'))?.groups ?? {};
  if (prefix === undefined || after === undefined) return undefined;
  const place = { prefix, after };
  // Of all texts with the same bytes, one is ours.
  return pageToken(place) === token ? place : undefined;
}

/** Of 64 characters, a colon, 64 characters and `~` in base64. */
const maxTokenCharacters = 174;
