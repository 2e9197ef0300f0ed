import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';

/** What lies between a client and its server, for tests of what networks do. */
export interface Relay extends AsyncDisposable {
  readonly endpoint: string;
  /** The clients' sockets in the order they came. */
  readonly clients: Socket[];
  /** Turns the connections that are open into black holes: nothing passes, and nobody is told. */
  stall(): void;
}

/**
 * Starts a relay to a port of this machine.
 *
 * @param dropPings let no PING frame pass to the client
 */
export async function startRelay(port: number, { dropPings = false } = {}): Promise<Relay> {
  const clients: Socket[] = [];
  const ends = new Map<Socket, Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect({ host: '127.0.0.1', port });
    clients.push(client);
    ends.set(client, upstream);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      const frames = dropPings && from === upstream ? withoutPings() : (data: Buffer) => data;
      from.on('data', (data) => to.write(frames(data)));
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server on a port, not on a pipe, has an address with a port.
  const { port: own } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${own}`,
    clients,
    stall() {
      for (const [client, upstream] of ends) {
        client.removeAllListeners('data').resume();
        upstream.removeAllListeners('data').resume();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const sockets of ends) for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const headerBytes = 9;
const pingType = 6;

/** Takes the PING frames out of what an HTTP/2 server sends (RFC 9113 section 4.1). */
function withoutPings(): (data: Buffer) => Buffer {
  let rest: Buffer = Buffer.alloc(0);
  return (data) => {
    rest = Buffer.concat([rest, data]);
    const passed: Buffer[] = [];
    for (;;) {
      const end = rest.length < headerBytes ? Number.POSITIVE_INFINITY : headerBytes + rest.readUIntBE(0, 3);
      if (rest.length < end) return Buffer.concat(passed);
      if (rest[3] !== pingType) passed.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  };
}
