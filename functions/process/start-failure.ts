import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AdminListenError } from './open-admin.ts';
import { defaultAddress } from './server-settings.ts';
import { ConfigError, type Environment } from './settings.ts';

/**
 * Returns one line that says why a process can't start, if a person can mend it. Any other error is a fault of ours,
 * and is returned whole, to be shown with its stack.
 *
 * @param env where HOST and PORT were read from
 * @param mendable classes of errors whose message is such a line, besides ConfigError
 */
export function describeStartFailure(
  error: unknown,
  env: Environment,
  mendable: readonly (abstract new (...args: never) => Error)[] = [],
): unknown {
  if (!(error instanceof Error)) return error;
  if ([ConfigError, ...mendable].some((type) => error instanceof type)) return error.message;
  if (error instanceof AdminListenError) {
    return describeListenFailure(error.cause, error.at, { host: 'ADMIN_HOST', port: 'ADMIN_PORT' }) ?? error;
  }
  const at = { host: env.HOST || defaultAddress.host, port: env.PORT || defaultAddress.port };
  return describeListenFailure(error, at, { host: 'HOST', port: 'PORT' }) ?? error;
}

/** `names`: the settings that say where to listen. `undefined` if it has failed in another way. */
function describeListenFailure(
  error: unknown,
  { host, port }: { readonly host: string; readonly port: string | number },
  names: { readonly host: string; readonly port: string },
): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  const socket = host.startsWith('unix:') ? host.slice('unix:'.length) : undefined;
  // Files may be refused too.
  if (error.code === 'EACCES' && 'syscall' in error && listenCalls.has(error.syscall)) {
    if (socket !== undefined) return describeRefusedSocket(socket);
    return `There is no right to listen at port ${port} of ${host}: set ${names.port}, to 1024 or more.`;
  }
  switch (error.code) {
    case 'EADDRINUSE':
      if (socket !== undefined) return describeTakenSocket(socket);
      return `The port ${port} of ${host} is in use: end the program that listens there, or set ${names.port}.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine: set ${names.host}.`;
    default:
      return undefined;
  }
}

/** A worker, for which the first process listens, says `bind`. */
const listenCalls: ReadonlySet<unknown> = new Set(['listen', 'bind']);

/** libuv says EACCES also where the folder is missing. */
function describeRefusedSocket(path: string): string {
  const folder = dirname(path);
  return find(folder) === undefined
    ? `The folder ${folder} does not exist: make it, or set HOST.`
    : `There is no right to listen at unix:${path}: set HOST.`;
}

function describeTakenSocket(path: string): string {
  const found = find(path);
  if (found?.isDirectory()) return `${path} is a folder: name a file in it in HOST.`;
  if (found?.isSocket() === false) return `${path} is a file, and no socket: name another in HOST.`;
  return `Another program listens at unix:${path}: end it, or set HOST.`;
}

function find(path: string) {
  return statSync(path, { throwIfNoEntry: false });
}
