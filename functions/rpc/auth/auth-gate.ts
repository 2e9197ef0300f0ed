import type { Gate, GateRequest } from '../call/gate.ts';
import { badCredentials, noCredentials } from '../errors.ts';
import { bearerOf } from './bearer.ts';
import { type Caller, callerOf } from './caller.ts';
import { type Access, accessTable, type ScopeTable } from './scopes.ts';

/** A way to learn who calls. */
export interface Way {
  /**
   * Looks at the credentials of a request, at once if that is possible.
   *
   * @returns the caller; `undefined` if the request has no credential that is for this way
   * @throws UNAUTHENTICATED for one that is not valid; UNAVAILABLE if that can't be found out now
   */
  identify(request: GateRequest): Caller | undefined | Promise<Caller | undefined>;
}

/** Who may call what. */
export interface AuthOptions {
  /** A row for each method of the services and each path of plain HTTP besides those of `rpc/` itself. */
  readonly scopes: ScopeTable;
  /** Ways to learn who calls; the first that knows decides. None: everybody may call everything. */
  readonly ways: readonly Way[];
  /** Whether everybody may ask by reflection which methods there are. Default: those alone who are known. */
  readonly isReflectionOpen?: boolean;
}

/**
 * Makes the gate that lets in whom it knows and who has the scopes of the method. Calls from within the process are
 * those of the caller on whose behalf they are made, else the process's own.
 *
 * @param paths of all methods and resources of the server
 * @throws Error when one has no row in the table of scopes
 */
export function authGate(
  paths: Iterable<string>,
  scopes: ScopeTable,
  ways: readonly Way[],
): Gate | undefined {
  const table = accessTable(paths, scopes);
  if (ways.length === 0) return undefined;

  function admit(request: GateRequest, access: Access, caller: Caller | undefined): void {
    if (caller === undefined)
      throw bearerOf(request.headers) === undefined ? noCredentials() : badCredentials();
    // Known also where it may not call: the log says who tried.
    request.identify(caller);
    const refusal = access.refuse(caller);
    if (refusal !== undefined) throw refusal;
  }

  async function admitLater(
    request: GateRequest,
    access: Access,
    first: Promise<Caller | undefined>,
    next: number,
  ) {
    let caller = await first;
    for (let at = next; caller === undefined && at < ways.length; at += 1)
      caller = await ways[at]?.identify(request);
    admit(request, access, caller);
  }

  return (request) => {
    const access = table.get(request.path);
    // What is not in the table is refused by the router, before a gate.
    if (access === undefined) throw noCredentials();
    if (access.isOpen) return undefined;
    if (request.protocol === 'local') {
      const caller = callerOf(request);
      if (caller !== undefined) admit(request, access, caller);
      return undefined;
    }
    let caller: Caller | undefined;
    for (let at = 0; caller === undefined && at < ways.length; at += 1) {
      const found = ways[at]?.identify(request);
      if (found instanceof Promise) return admitLater(request, access, found, at + 1);
      caller = found;
    }
    admit(request, access, caller);
    return undefined;
  };
}

/** First one gate, then another. */
export function inTurn(first: Gate | undefined, second: Gate | undefined): Gate | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return (request) => first(request)?.then(() => second(request)) ?? second(request);
}
