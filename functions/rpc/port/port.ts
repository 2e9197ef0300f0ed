import net, { type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import type { Log } from '../call/access-log.ts';
import type { Client, Clients } from '../call/clients.ts';
import { connectionOf } from '../call/connection.ts';
import type { MemoryBudget } from '../call/memory-budget.ts';
import type { Exchange } from '../http/exchange.ts';
import {
  type Http2Engine,
  type Http2EngineName,
  openHttp2,
  type ResetCharges,
  type Shedder,
} from '../http2/engine.ts';
import type { RpcLimits } from '../limits.ts';
import { ConnectionCounts } from '../telemetry/connection-counts.ts';
import { Http1Server } from './http1-server.ts';
import { RefusalLog } from './refusal-log.ts';
import { Sniffer } from './sniffer.ts';
import { removeStaleSocket, unixSocketPath } from './unix-socket.ts';

/** Serving with TLS. All in PEM. */
export interface TlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** With it, only clients with a certificate of this authority get in (mutual TLS). */
  readonly clientCa?: string | Buffer | undefined;
}

/** What a port needs. */
export interface PortOptions {
  readonly limits: RpcLimits;
  readonly clients: Clients;
  readonly memory: MemoryBudget;
  /** Whether connections come from load balancers, which may have as many as they want. */
  readonly isBehindProxies: boolean;
  readonly tls: TlsOptions | undefined;
  readonly log: Log | undefined;
  readonly http2Engine: Http2EngineName;
  /** Charges resets of streams to clients; `undefined`: a client is a connection. */
  readonly resets: ResetCharges | undefined;
  /** Refuses calls of gRPC that are too many; `undefined`: nothing does so early. */
  readonly shedder: Shedder | undefined;
}

const tooMany = 'there are as many connections as the server takes';
const tooManyOfClient = 'the client has as many connections as it may';

/** One TCP port that speaks HTTP/1.1 and HTTP/2, in plain text or with TLS. */
export class Port {
  /** What happens to its connections. */
  readonly counts = new ConnectionCounts();
  readonly #options: PortOptions;
  readonly #listener: net.Server | tls.Server;
  readonly #http1: Http1Server;
  readonly #onExchange: (exchange: Exchange) => void;
  /** It is there once the port listens. */
  #http2: Http2Engine | undefined;
  readonly #sniffer: Sniffer;
  readonly #sockets = new Set<Socket>();
  readonly #refusals: RefusalLog;

  constructor(onExchange: (exchange: Exchange) => void, options: PortOptions) {
    const { limits, memory } = options;
    this.#options = options;
    this.#refusals = new RefusalLog(options.log, this.counts);
    this.#http1 = new Http1Server(onExchange, limits, memory, this.#refusals);
    this.#onExchange = onExchange;
    this.#sniffer = new Sniffer(limits, this.counts);
    this.#listener = options.tls === undefined ? net.createServer() : createTls(options.tls, limits);
    this.#listener.maxConnections = limits.maxConnections;
    // Else a connection goes round, without end, among workers of node:cluster that are full. The types do not have it
    // yet (https://nodejs.org/api/net.html#serverdropmaxconnection).
    Object.assign(this.#listener, { dropMaxConnection: true });
    this.#listener.on('drop', (from) => this.#refusals.note(from?.remoteAddress, 'too_many', tooMany));
    this.#listener.on('connection', (socket: Socket) => this.#accept(socket));
    // Node tells of a handshake that fails or takes too long, but leaves the socket open.
    this.#listener.on('tlsClientError', (error: NodeJS.ErrnoException, socket: tls.TLSSocket) => {
      this.#refusals.note(addressOf(socket), 'tls', `TLS: ${reasonOf(error, socket)}`);
      socket.destroy();
    });
    // With TLS the client has already said by ALPN what it speaks.
    this.#listener.on('secureConnection', (socket: tls.TLSSocket) => {
      this.#handOver(socket, socket.alpnProtocol === 'h2');
    });
  }

  /**
   * Starts to listen; takes the place of a socket of this machine at which nobody listens. Rejects with the system's
   * error when the address can't be had, or when it listens already.
   */
  async listen(options: { host: string; port: number }): Promise<AddressInfo> {
    const listener = this.#listener;
    const { http2Engine, limits, memory, shedder, resets } = this.#options;
    const parts = { limits, memory, counts: this.counts, shedder, resets };
    this.#http2 ??= await openHttp2(http2Engine, this.#onExchange, parts);
    const path = unixSocketPath(options.host);
    if (path !== undefined && !listener.listening) await removeStaleSocket(path);
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error) => {
        listener.off('error', settle).off('listening', settle);
        error === undefined ? resolve() : reject(error);
      };
      listener.once('error', settle).once('listening', settle);
      try {
        // Who comes while we are busy waits in the system's queue, as long as that is.
        const place = path === undefined ? options : { path };
        listener.listen({ ...place, backlog: limits.maxConnections });
      } catch (error) {
        settle(error instanceof Error ? error : new Error(String(error)));
      }
    });
    // Such as EMFILE: the connection is lost, and the others must not be.
    listener.on('error', (err) => this.#options.log?.error({ err }, 'a connection could not be accepted'));
    this.#http2.begin();
    const address = listener.address();
    // Of a socket of this machine it is the path.
    return typeof address === 'object' && address !== null
      ? address
      : { address: options.host, family: 'unix', port: 0 };
  }

  /**
   * Takes no more connections and lets running requests finish. It tells clients to go elsewhere: on HTTP/2 by GOAWAY,
   * on HTTP/1.1 by `connection: close` if the response has not begun. It does not wait for requests whose headers do
   * not come soon. Resolves when all connections are gone.
   */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    this.#http1.close();
    this.#sniffer.hurry();
    this.#http2?.close();
    const timer = setTimeout(() => this.#http1.cutIdle(), this.#options.limits.goawayTimeoutMs);
    await closed;
    clearTimeout(timer);
    this.#http1.cutIdle();
  }

  /** New connections get this certificate; those that are open keep theirs. @throws Error if it can't be used */
  renewTls(options: TlsOptions): void {
    if (this.#listener instanceof tls.Server) this.#listener.setSecureContext(secureContext(options));
  }

  /** Cuts all connections. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    // Nobody need be told that a connection broke: its calls learn of it by their streams.
    socket.on('error', () => {});
    this.counts.accepted += 1;
    const client = this.#clientOf(socket);
    const { limits, isBehindProxies, tls: tlsOptions } = this.#options;
    if (!isBehindProxies && client.connections >= limits.maxConnectionsPerClient) {
      this.#refusals.note(socket.remoteAddress, 'too_many_of_client', tooManyOfClient);
      return void socket.destroy();
    }
    client.connections += 1;
    this.#sockets.add(socket);
    socket.on('close', () => {
      client.connections -= 1;
      this.#sockets.delete(socket);
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    if (tlsOptions === undefined) this.#sniffer.take(socket, (isHttp2) => this.#handOver(socket, isHttp2));
  }

  #handOver(socket: Socket, isHttp2: boolean): void {
    const connection = connectionOf(socket, this.#clientOf(socket));
    const version = isHttp2 ? 'openHttp2' : 'openHttp1';
    this.counts[version] += 1;
    socket.once('close', () => {
      this.counts[version] -= 1;
    });
    (isHttp2 ? this.#http2 : this.#http1)?.take(socket, connection);
  }

  /** The client of a socket, for as long as that is open. */
  #clientOf(socket: Socket): Client {
    const { clients } = this.#options;
    const client = clients.enter(socket.remoteAddress ?? '');
    socket.once('close', () => clients.leave(client));
    return client;
  }
}

/** Node ends the connection of a client whose certificate nobody vouches for before it tells of it as a hang-up. */
function reasonOf(error: NodeJS.ErrnoException, { authorizationError }: tls.TLSSocket): unknown {
  return authorizationError ?? error.code ?? error.message;
}

/** By then only the socket within, for which the type has no name, knows whose it was. */
function addressOf(socket: tls.TLSSocket): string | undefined {
  if (socket.remoteAddress !== undefined) return socket.remoteAddress;
  return '_parent' in socket && socket._parent instanceof net.Socket
    ? socket._parent.remoteAddress
    : undefined;
}

function createTls(options: TlsOptions, { handshakeTimeoutMs }: RpcLimits): tls.Server {
  return tls.createServer({
    ...secureContext(options),
    requestCert: options.clientCa !== undefined,
    rejectUnauthorized: options.clientCa !== undefined,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: handshakeTimeoutMs,
  });
}

function secureContext({ cert, key, clientCa }: TlsOptions): tls.SecureContextOptions {
  return { cert, key, ca: clientCa, minVersion: 'TLSv1.2' };
}
