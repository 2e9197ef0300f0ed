import net, { BlockList } from 'node:net';
import type tls from 'node:tls';
import { defaults } from '../defaults.ts';
import { proxyFor } from './proxy.ts';
import { secureContext, type TlsOptions } from './trust.ts';

/** Where connections go, and who must be found there. */
export interface Address {
  /** The origin of every call: its host is in `:authority` or `Host`, and must be in the certificate. */
  readonly origin: string;
  /** What to call it towards people. */
  readonly name: string;
  readonly secure: boolean;
  /** Whether nothing leaves this machine. */
  readonly isLocal: boolean;
  readonly host: string;
  readonly port: number;
  /** A Unix socket, instead of host and port. */
  readonly path: string | undefined;
  /** What leads there, if there is no other way out of a network. */
  readonly proxy: URL | undefined;
  /** The name to ask for and to check in the certificate; an IP address can't be asked for (RFC 6066 section 3). */
  readonly serverName: string | undefined;
  readonly secureContext: tls.SecureContext | undefined;
}

const thisMachine = new BlockList();
thisMachine.addSubnet('127.0.0.0', 8);
thisMachine.addAddress('::1', 'ipv6');

/**
 * Reads an endpoint such as `https://users.example.com`, `http://127.0.0.1:50051` or `unix:/run/users.sock`.
 *
 * With a server name the connection goes to the endpoint's host and port, but the call and the certificate are for
 * that name: for a load balancer whose name doesn't resolve here.
 *
 * @throws TypeError if the endpoint is neither an origin with http: or https: nor a Unix socket, the server name is not
 * a DNS name, a certificate or key can't be used, or `https_proxy` is needed and not a URL.
 */
export function parseAddress(endpoint: string, serverName?: string, trust: TlsOptions = {}): Address {
  if (serverName !== undefined && !isDnsName(serverName)) {
    throw new TypeError(`server name "${serverName}": write a DNS name`);
  }
  const path = socketPath(endpoint);
  // As gRPC calls what it finds at a Unix socket (https://github.com/grpc/grpc/blob/master/doc/naming.md).
  const url = path === undefined ? parseOrigin(endpoint) : new URL('http://localhost');
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (secure ? 443 : 80));
  const isLocal = path !== undefined || isThisMachine(host);
  const name = serverName ?? host;
  if (serverName !== undefined) url.hostname = serverName;
  return {
    origin: url.origin,
    name: path === undefined ? url.origin : endpoint,
    secure,
    isLocal,
    host,
    port,
    path,
    proxy: secure && !isLocal ? proxyFor(host, port, process.env) : undefined,
    serverName: net.isIP(name) ? undefined : name,
    secureContext: secureContext(secure, trust),
  };
}

function parseOrigin(endpoint: string): URL {
  const url = URL.parse(endpoint);
  if (url?.port === '0' || (!url && isPortTooHigh(endpoint))) {
    throw new TypeError(`endpoint "${endpoint}": write a port up to 65535, from 1`);
  }
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError(
      `endpoint "${endpoint}": write it as http://host:port, https://host:port or unix:/path`,
    );
  }
  if (url.pathname !== '/' || url.search !== '' || url.username !== '' || url.password !== '') {
    // Neither a password, nor a query that may hold one, is shown.
    const shown = url.username || url.password ? url.origin : url.origin + url.pathname;
    throw new TypeError(`endpoint "${shown}": it takes scheme, host and port only`);
  }
  return url;
}

/** The path in `unix:path` or `unix:///absolute/path`. */
function socketPath(endpoint: string): string | undefined {
  const [, path] = /^unix:(?:\/\/(?=\/))?((?!\/\/).+)$/.exec(endpoint) ?? [];
  if (path !== undefined && Buffer.byteLength(path) > defaults.maxSocketPathBytes) {
    throw new TypeError(`endpoint "${endpoint}": write a path of up to ${defaults.maxSocketPathBytes} bytes`);
  }
  return path;
}

/** True if nothing else is wrong: URL.parse says no more than that it can't read it. */
function isPortTooHigh(endpoint: string): boolean {
  const [, before, port] = /^(https?:\/\/[^/@]+):(\d+)\/?$/.exec(endpoint) ?? [];
  return before !== undefined && URL.canParse(before) && Number(port) > 65_535;
}

function isDnsName(name: string): boolean {
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(name) && !net.isIP(name);
}

/** Also for an IPv4 address that is written as an IPv6 one, such as ::ffff:127.0.0.1. */
function isThisMachine(host: string): boolean {
  const family = net.isIP(host);
  return family === 0 ? host === 'localhost' : thisMachine.check(host, family === 6 ? 'ipv6' : 'ipv4');
}
