import type { ScopeTable } from '../rpc/index.ts';

/** What a caller of the Users function may be allowed to do. `*` is all of it, also what is added later. */
export const scopeNames = ['users.read', 'users.write'] as const;

/** The scopes that each method and path needs. A method that is added needs a row, or the server does not start. */
export const scopes: ScopeTable = {
  '/Users/CreateUser': ['users.write'],
  '/Users/GetUsers': ['users.read'],
  '/users/': ['users.read'],
  '/users': ['users.read'],
};
