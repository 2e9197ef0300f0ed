import type { GetUsersRequest } from '../../proto/gen/users_types_pb.js';

/**
 * What calls cost in tokens of their caller's quota (`tokensPerSecondPerCaller`). A token is about what one user costs:
 * a read unit of DynamoDB, or up to 4 µs of SQLite.
 */
export const costs = {
  /** Every call, whatever it does; it is taken before the service is called. */
  callTokens: 1,
  /** A user that is asked for, found or not: each is a read of its own. */
  userTokens: 1,
  /** A password: argon2 takes 20 ms of a core, more than all else of 50 calls. */
  passwordTokens: 50,
  /** Users on a page that cost one token: they lie side by side, so that one read finds many. */
  listedUsersPerToken: 10,
  /** A page of all names, at least: DynamoDB is asked for each of 36 first characters, half a read unit each. */
  allNamesTokens: 18,
} as const;

/** What a sign-up, a change or a check costs besides the call itself: next to a password, the rest is nothing. */
export function costOfPassword({ password = '' }: { readonly password?: string }): number {
  return password === '' ? 0 : costs.passwordTokens - costs.callTokens;
}

/** What the users that are asked for cost besides the call itself. */
export function costOfGetUsers({ user }: Pick<GetUsersRequest, 'user'>): number {
  return user.length * costs.userTokens - costs.callTokens;
}

/** What a page costs besides the call itself, by how many users it may have, and whether of one prefix alone. */
export function costOfListUsers(maxUsers: number, prefix: string): number {
  const leastTokens = prefix === '' ? costs.allNamesTokens : costs.callTokens;
  return Math.max(leastTokens, Math.ceil(maxUsers / costs.listedUsersPerToken)) - costs.callTokens;
}
