import net from 'node:net';
import tls from 'node:tls';
import { defaults } from '../defaults.ts';
import type { Address } from './address.ts';

/**
 * Opens a socket to the address: TLS, speaking the given protocol, if the endpoint is https.
 *
 * @param connectTimeoutMs how long the caller will wait, so that each address of a name gets its part
 */
export function dial(
  address: Address,
  protocol: 'h2' | 'http/1.1',
  connectTimeoutMs = defaults.connectTimeoutMs,
): net.Socket {
  const { host, port } = address;
  const where = {
    host,
    port,
    // Node gives up an address after 250 ms, for good: one that is far away could never be reached.
    autoSelectFamilyAttemptTimeout: Math.ceil(connectTimeoutMs * defaults.addressShare),
  };
  const socket = address.secure
    ? tls.connect({
        ...where,
        servername: address.serverName,
        ALPNProtocols: [protocol],
        secureContext: address.secureContext,
      })
    : net.connect(where);
  socket.setKeepAlive(true, defaults.tcpKeepAliveMs);
  socket.setNoDelay(true);
  return socket;
}
