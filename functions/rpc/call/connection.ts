import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Client } from './clients.ts';

/** What calls come from: a connection of a client, or this process. */
export interface Connection {
  /** Address and port of the other side, as logs show it. */
  readonly peer: string;
  /** Who the other side is. Behind a load balancer, that is the load balancer. */
  readonly client: Client;
  /** The TLS connection, for the client's certificate; `undefined` in plain text. */
  readonly tls: TLSSocket | undefined;
  /** When it was opened, on the clock of `performance.now()`. */
  readonly openedAtMs: number;
  /** What its calls hold in memory. */
  heldBytes: number;
  /** Ends it at once, and with it all that is queued for the other side. */
  destroy(): void;
}

/** The connection that a socket is. */
export function connectionOf(socket: Socket, client: Client): Connection {
  const { remoteAddress = '', remotePort = '' } = socket;
  // An address of IPv6 stands in brackets before a port (RFC 3986 section 3.2.2).
  const host = remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress;
  return {
    peer: remoteAddress === '' ? 'unix' : `${host}:${remotePort}`,
    client,
    tls: isTls(socket) ? socket : undefined,
    openedAtMs: performance.now(),
    heldBytes: 0,
    destroy: () => socket.destroy(),
  };
}

function isTls(socket: Socket): socket is TLSSocket {
  return 'getPeerCertificate' in socket;
}
