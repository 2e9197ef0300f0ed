import type { ScopeTable } from '../rpc/index.ts';

/** What a caller of the Users function may be allowed to do. `*` is all of it, also what is added later. */
export const scopeNames = ['users.read', 'users.write', 'console.live'] as const;

/** The scopes that each method and path needs. A method that is added needs a row, or the server does not start. */
export const scopes: ScopeTable = {
  '/Users/CreateUser': ['users.write'],
  '/Users/GetUsers': ['users.read'],
  '/users/': ['users.read'],
  '/users': ['users.read'],
  // The console's page holds no secret: it asks whoever opens it for a credential.
  '/': 'open',
  '/console/app.css': 'open',
  '/console/app.js': 'open',
  '/console/service.json': [],
  '/console/live': ['console.live'],
};

/** The same where everybody may ask by reflection which methods there are: then the console tells it too. */
export function scopesWhere(isReflectionOpen: boolean): ScopeTable {
  return isReflectionOpen ? { ...scopes, '/console/service.json': 'open' } : scopes;
}
