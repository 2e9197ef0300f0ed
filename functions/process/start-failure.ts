import { ConfigError } from '../users/config.ts';
import { StoreError } from '../users/store.ts';

/** Says in one line what is wrong, where a person can mend it; anything else is a fault of ours, and comes back whole. */
export function explain(error: unknown, env: Readonly<Record<string, string | undefined>>): unknown {
  if (error instanceof ConfigError || error instanceof StoreError) return error.message;
  if (!(error instanceof Error && 'code' in error)) return error;
  const host = env.HOST || '127.0.0.1';
  const port = env.PORT || '50051';
  // Files may be refused too.
  if (error.code === 'EACCES' && 'syscall' in error && error.syscall === 'listen') {
    return `There is no right to listen at port ${port} of ${host}: set PORT, to 1024 or more.`;
  }
  switch (error.code) {
    case 'EADDRINUSE':
      return `The port ${port} of ${host} is in use: end the program that listens there, or set PORT.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine: set HOST.`;
    default:
      return error;
  }
}
