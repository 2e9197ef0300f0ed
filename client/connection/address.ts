import net from 'node:net';
import type tls from 'node:tls';
import { secureContext, type TlsOptions } from './trust.ts';

/** Where connections go, and who must be found there. */
export interface Address {
  /** The origin of every call: its host is in `:authority` or `Host`, and must be in the certificate. */
  readonly origin: string;
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** The name to ask for and to check in the certificate; an IP address can't be asked for (RFC 6066 section 3). */
  readonly serverName: string | undefined;
  readonly secureContext: tls.SecureContext | undefined;
}

/**
 * Reads an endpoint such as `https://users.example.com` or `http://127.0.0.1:50051`.
 *
 * With a server name the connection goes to the endpoint's host and port, but the call and the certificate are for
 * that name: for a load balancer whose name doesn't resolve here.
 *
 * @throws TypeError if the endpoint is not an origin with http: or https:, the server name is not a DNS name, or a
 * certificate or key can't be used.
 */
export function parseAddress(endpoint: string, serverName?: string, trust: TlsOptions = {}): Address {
  const url = URL.parse(endpoint);
  if (url?.port === '0' || (!url && isPortTooHigh(endpoint))) {
    throw new TypeError(`endpoint "${endpoint}": write a port up to 65535, from 1`);
  }
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError(`endpoint "${endpoint}": write it as http://host:port or https://host:port`);
  }
  if (url.pathname !== '/' || url.search !== '' || url.username !== '' || url.password !== '') {
    // Neither a password, nor a query that may hold one, is shown.
    const shown = url.username || url.password ? url.origin : url.origin + url.pathname;
    throw new TypeError(`endpoint "${shown}": it takes scheme, host and port only`);
  }
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (secure ? 443 : 80));
  const name = serverName ?? host;
  if (serverName !== undefined) {
    if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(serverName) || net.isIP(serverName)) {
      throw new TypeError(`server name "${serverName}": write a DNS name`);
    }
    url.hostname = serverName;
  }
  return {
    origin: url.origin,
    secure,
    host,
    port,
    serverName: net.isIP(name) ? undefined : name,
    secureContext: secureContext(secure, trust),
  };
}

/** True if nothing else is wrong: URL.parse says no more than that it can't read it. */
function isPortTooHigh(endpoint: string): boolean {
  const [, before, port] = /^(https?:\/\/[^/@]+):(\d+)\/?$/.exec(endpoint) ?? [];
  return before !== undefined && URL.canParse(before) && Number(port) > 65_535;
}
