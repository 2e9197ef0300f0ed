import http from 'node:http';
import type { Socket } from 'node:net';
import type { Connection } from '../call/connection.ts';
import type { MemoryBudget } from '../call/memory-budget.ts';
import { NodeExchange } from '../http/node-exchange.ts';
import type { RpcLimits } from '../limits.ts';

/** What a request that waits takes, its headers included: node makes its objects when it is parsed. */
const waitingRequestBytes = 8 * 1024;

/** A connection of HTTP/1.1 whose request is under way. */
interface Line {
  /** Starts the requests that the client has sent meanwhile, in their order. */
  readonly waiting: (() => void)[];
}

/** Speaks HTTP/1.1 on the connections that it is given: one request of each at a time, the next ones wait. */
export class Http1Server {
  readonly #limits: RpcLimits;
  readonly #memory: MemoryBudget;
  readonly #server: http.Server;
  readonly #connections = new Map<Socket, Connection>();
  readonly #lines = new Map<Socket, Line>();
  /** Responses that are under way. */
  readonly #responses = new Set<http.ServerResponse>();
  #isClosing = false;

  constructor(onExchange: (exchange: NodeExchange) => void, limits: RpcLimits, memory: MemoryBudget) {
    this.#limits = limits;
    this.#memory = memory;
    const options = {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.handshakeTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.idleTimeoutMs,
      connectionsCheckingInterval: 1000,
    };
    this.#server = http.createServer(options, (req, res) => {
      const { socket } = req;
      const connection = this.#connections.get(socket);
      if (connection === undefined) return void socket.destroy();
      const start = () => this.#start(req, res, connection, onExchange);
      const line = this.#lines.get(socket);
      if (line === undefined) {
        this.#lines.set(socket, { waiting: [] });
        start();
      } else this.#wait(socket, connection, line, start);
    });
  }

  /** Takes over a connection. */
  take(socket: Socket, connection: Connection): void {
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#leave(socket, connection);
    });
    this.#server.emit('connection', socket);
    // Without a listener node's parser reads below the stream, where no pause holds: what is to wait in the socket would be
    // read, and what is decrypted already would fail with "Parse Error: Paused".
    socket.on('data', () => {});
  }

  /** To be called once the port listens: servers that never listen themselves don't enforce their timeouts otherwise. */
  begin(): void {
    this.#server.emit('listening');
  }

  /** Tells clients by `connection: close` to go elsewhere, where the response has not begun. */
  close(): void {
    this.#isClosing = true;
    this.#server.close();
    for (const response of this.#responses) response.shouldKeepAlive = false;
  }

  /** Cuts the connections whose requests are not there: node's own timeouts have ended with its server. */
  cutPartialRequests(): void {
    const busy = new Set([...this.#responses].map(({ socket }) => socket));
    for (const socket of this.#connections.keys()) if (!busy.has(socket)) socket.destroy();
  }

  #start(
    req: http.IncomingMessage,
    res: http.ServerResponse,
    connection: Connection,
    onExchange: (exchange: NodeExchange) => void,
  ): void {
    const { socket } = req;
    this.#responses.add(res);
    if (this.#isClosing || this.#isTooOld(connection)) res.shouldKeepAlive = false;
    res.once('close', () => {
      this.#responses.delete(res);
      if (this.#isClosing) socket.end();
      this.#next(socket, connection);
    });
    onExchange(new NodeExchange(req, res, connection));
  }

  #isTooOld({ openedAtMs }: Connection): boolean {
    const { maxConnectionAgeMs } = this.#limits;
    return maxConnectionAgeMs > 0 && performance.now() - openedAtMs > maxConnectionAgeMs;
  }

  /** What has come in one piece is parsed already; what comes later stays in the socket. */
  #wait(socket: Socket, connection: Connection, line: Line, start: () => void): void {
    if (!this.#memory.hold(connection, connection.client, waitingRequestBytes)) return void socket.destroy();
    line.waiting.push(start);
    socket.pause();
  }

  /** After an answer that was the last of its connection, nothing is begun any more (RFC 9112 section 9.6). */
  #next(socket: Socket, connection: Connection): void {
    const next = socket.writable ? this.#lines.get(socket)?.waiting.shift() : undefined;
    if (next === undefined) {
      this.#leave(socket, connection);
      socket.resume();
    } else {
      this.#release(connection, 1);
      next();
    }
  }

  /** Nothing of the connection is under way or waits any more. */
  #leave(socket: Socket, connection: Connection): void {
    this.#release(connection, this.#lines.get(socket)?.waiting.length ?? 0);
    this.#lines.delete(socket);
  }

  #release(connection: Connection, requests: number): void {
    this.#memory.release(connection, connection.client, requests * waitingRequestBytes);
  }
}
