import type { Users } from '../../proto/gen/users_pb.js';
import type { ScopeTable } from '../rpc/index.ts';

/** What a caller of the Users function may be allowed to do. `*` is all of it, also what is added later. */
export const scopeNames = [
  'users.read',
  'users.write',
  'users.check',
  'users.private',
  'users.update',
  'users.delete',
  'users.list',
  'console.live',
] as const;

type Scope = (typeof scopeNames)[number];

/** The paths of all methods, from the generated code: the compiler names the one whose row is missing. */
type MethodPath = `/Users/${Capitalize<keyof (typeof Users)['method'] & string>}`;

/** The scopes that each method needs: all that are listed. */
export const methodScopes: Readonly<Record<MethodPath, readonly Scope[]>> = {
  '/Users/CreateUser': ['users.write'],
  '/Users/GetUsers': ['users.read'],
  '/Users/CheckPassword': ['users.check'],
  '/Users/GetAccount': ['users.private'],
  // It answers with the account, so who may change may also see.
  '/Users/UpdateUser': ['users.update', 'users.private'],
  '/Users/DeleteUser': ['users.delete'],
  '/Users/ListUsers': ['users.list'],
};

/** The scopes that each method and path needs. */
export const scopes: ScopeTable = {
  ...methodScopes,
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
