import type { ServerConfig } from './server-settings.ts';
import type { Settings } from './settings.ts';
import { thisWorker } from './worker.ts';

/** Where the admin port listens. */
export interface AdminConfig {
  readonly host: string;
  /** Zero takes a free one. */
  readonly port: number;
}

/** Where the admin port listens by default: this machine alone reaches it. */
export const defaultAdminHost = '127.0.0.1';

/**
 * Reads ADMIN_HOST (127.0.0.1) and ADMIN_PORT; `undefined` where that is not set: then there is no admin port. Bad ones
 * become problems of the settings. Of several workers each has a port of its own, the next one up from that of the
 * worker before it.
 *
 * @param server where the service listens: that can't be the same port
 */
export function readAdminSettings(
  settings: Settings,
  server: Pick<ServerConfig, 'port' | 'workers'>,
): AdminConfig | undefined {
  const host = settings.host('ADMIN_HOST', defaultAdminHost);
  const port = settings.wholeNumber('ADMIN_PORT', { from: 0, to: 65_535 });
  if (host.startsWith('unix:')) settings.refuse('ADMIN_HOST', 'a host name or an IP address');
  if (settings.text('ADMIN_PORT') === undefined) {
    if (settings.text('ADMIN_HOST') !== undefined) {
      settings.problem('ADMIN_HOST needs ADMIN_PORT, which is not set');
    }
    return undefined;
  }
  if (port === undefined) return undefined;
  if (port === 0) return { host, port };
  const last = port + server.workers - 1;
  if (last > 65_535)
    settings.problem(`ADMIN_PORT must be at most ${65_536 - server.workers} with that many WORKERS`);
  if (server.port >= port && server.port <= last) {
    const taken = last === port ? String(port) : `${port} to ${last}, one for each worker`;
    settings.problem(`ADMIN_PORT (${taken}) must not be PORT`);
  }
  return { host, port: port + (thisWorker?.number ?? 1) - 1 };
}
