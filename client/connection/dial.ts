import net from 'node:net';
import tls from 'node:tls';
import { defaults } from '../defaults.ts';
import type { Address } from './address.ts';
import { openTunnel } from './proxy.ts';

/** How to open a socket. */
export interface DialOptions {
  /** How long the caller will wait, so that each address of a name gets its part. */
  readonly connectTimeoutMs?: number;
  /** A connection that leads there already, through a proxy. */
  readonly tunnel?: net.Socket;
}

/** Opens a socket to the address: TLS, speaking the given protocol, if the endpoint is https. */
export function dial(
  address: Address,
  protocol: 'h2' | 'http/1.1',
  { connectTimeoutMs = defaults.connectTimeoutMs, tunnel }: DialOptions = {},
): net.Socket {
  const { host, port, path, serverName, secureContext } = address;
  const where =
    path === undefined
      ? {
          host,
          port,
          // Node gives up an address after 250 ms, for good: one that is far away could never be reached.
          autoSelectFamilyAttemptTimeout: Math.ceil(connectTimeoutMs * defaults.addressShare),
        }
      : { path };
  const socket = address.secure
    ? tls.connect({
        ...where,
        socket: tunnel,
        servername: serverName,
        ALPNProtocols: [protocol],
        secureContext,
      })
    : net.connect(where);
  socket.setKeepAlive(true, defaults.tcpKeepAliveMs);
  socket.setNoDelay(true);
  return socket;
}

/** The tunnel for `dial`, if the address is behind a proxy. */
export async function tunnelTo(
  { proxy, host, port }: Address,
  connectTimeoutMs: number,
  signal?: AbortSignal,
): Promise<net.Socket | undefined> {
  if (!proxy) return undefined;
  const target = net.isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  return openTunnel(proxy, target, connectTimeoutMs, signal);
}
