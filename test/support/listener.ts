import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { withPatience } from './patience.ts';

/** A server of node's own that listens, with its connections. Disposal closes it, and fails if a client left one. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** With the scheme that it serves. */
  readonly endpoint: string;
  /** HTTP/2 sessions in the order they came. */
  readonly sessions: readonly ServerHttp2Session[];
  /** Sockets in the order they came. */
  readonly sockets: readonly Socket[];
  /** Destroys the connections that there are. */
  cut(): void;
}

/** Listens on a free port of 127.0.0.1 with a server of node:net, node:http, node:https or node:http2. */
export async function listen(server: Server): Promise<Listener> {
  const sessions: ServerHttp2Session[] = [];
  const sockets: Socket[] = [];
  server.on('session', (session: ServerHttp2Session) => {
    sessions.push(session);
    session.on('error', () => {});
  });
  server.on('connection', (socket: Socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server on a port, not on a pipe, has an address with a port.
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    endpoint: `${'addContext' in server ? 'https' : 'http'}://127.0.0.1:${port}`,
    sessions,
    sockets,
    cut,
    async [Symbol.asyncDispose]() {
      // The end of a client's socket takes a moment to arrive; what is open after that is a leak.
      const closed = new Promise<true>((resolve) => server.close(() => resolve(true)));
      const isClosed = await withPatience(closed);
      const open = sockets.filter((socket) => !socket.destroyed).length;
      cut();
      assert.ok(isClosed, `${open} connections were left open`);
    },
  };
}
