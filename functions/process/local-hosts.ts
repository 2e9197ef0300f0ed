import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type Gate, isLoopback, rpcError } from '../rpc/index.ts';
import { type AuthConfig, authKinds } from './auth-settings.ts';
import type { ServerConfig } from './server-settings.ts';

const own = hostname().toLowerCase();

/**
 * The gate of a server that its own machine alone reaches, and there everybody: also the pages of a browser. A page may
 * rebind its name to 127.0.0.1, and the browser takes the server for the page's own (DNS rebinding); but the page can't
 * change what host the browser names. Behind declared proxies, and at a socket, there is no such gate.
 */
export function pageGate(
  server: Pick<ServerConfig, 'host' | 'trustedProxies'> & { readonly auth: AuthConfig },
): Gate | undefined {
  const isOpen = authKinds(server.auth).length === 0 && server.trustedProxies === 0;
  return isOpen && isLoopback(server.host) ? localHostsOnly() : undefined;
}

/**
 * Makes a gate that refuses, with FOREIGN_HOST, requests which name another host than this machine: not `localhost` or
 * a name below it, no IP address, and not the machine's own name. A request that names none is let in, and so are calls
 * from within the process.
 */
export function localHostsOnly(): Gate {
  // Clients name the same one again and again.
  let lastLocal: string | undefined;
  return ({ protocol, headers }) => {
    const authority = headers[':authority'] ?? headers.host;
    if (authority === undefined || authority === lastLocal || protocol === 'local') return undefined;
    if (!namesThisMachine(authority)) throw rpcError('FOREIGN_HOST');
    lastLocal = authority;
    return undefined;
  };
}

/** Whether a request's host, with its port or without, is this machine: the rule of `localHostsOnly`. */
export function namesThisMachine(authority: string): boolean {
  const host = authority.replace(/:\d*$/, '').toLowerCase();
  const isLocalhost = host === 'localhost' || host.endsWith('.localhost');
  return isLocalhost || host === own || host === '' || isAddress(host);
}

/** Whoever names an address has not come by a name. */
function isAddress(host: string): boolean {
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  return bracketed === undefined ? isIP(host) === 4 : isIP(bracketed) === 6;
}
