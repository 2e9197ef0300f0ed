import type { ConnectError } from '@connectrpc/connect';
import { missingScope } from '../errors.ts';
import { type Caller, everything } from './caller.ts';

/**
 * The scopes that a call of each method or plain HTTP path needs, by path, such as `/Users/CreateUser`: all that are
 * listed. With none listed any known caller may call; `open` lets everybody in.
 */
export type ScopeTable = Readonly<Record<string, readonly string[] | 'open'>>;

/** The way to one method or path. */
export interface Access {
  /** Whether nobody has to say who he is. */
  readonly isOpen: boolean;
  /** What a caller lacks; `undefined` if it may call. */
  refuse(caller: Caller): ConnectError | undefined;
}

/**
 * Makes the table of a server.
 *
 * @throws Error when a path has no row: it would be open, or closed, by accident
 */
export function accessTable(paths: Iterable<string>, scopes: ScopeTable): ReadonlyMap<string, Access> {
  const table = new Map<string, Access>();
  const missing: string[] = [];
  for (const path of paths) {
    const row = scopes[path];
    if (row === undefined) missing.push(path);
    else table.set(path, accessOf(row));
  }
  if (missing.length > 0) throw new Error(`no scopes are given for ${missing.join(', ')}`);
  return table;
}

function accessOf(row: readonly string[] | 'open'): Access {
  if (row === 'open') return { isOpen: true, refuse: () => undefined };
  // Each is made once: a refusal must be cheap.
  const errors = new Map(row.map((scope) => [scope, missingScope(scope)]));
  return {
    isOpen: false,
    refuse({ scopes }) {
      if (scopes.has(everything)) return undefined;
      for (const [scope, error] of errors) if (!scopes.has(scope)) return error();
      return undefined;
    },
  };
}
