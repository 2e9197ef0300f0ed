import http from 'node:http';
import type { Socket } from 'node:net';
import type { Connection } from '../call/connection.ts';
import type { MemoryBudget } from '../call/memory-budget.ts';
import { NodeExchange } from '../http/node-exchange.ts';
import type { RpcLimits } from '../limits.ts';
import type { RefusalLog } from './refusal-log.ts';

/** What a waiting request holds, its headers included: node makes its objects when it parses it. */
const waitingRequestBytes = 8 * 1024;

/** A connection of HTTP/1.1 whose request is under way. */
interface Line {
  /** Starts the requests that the client has sent meanwhile, in their order. */
  readonly waiting: (() => void)[];
}

/** Speaks HTTP/1.1 on the connections that it gets. Each has one request under way; the next ones wait. */
export class Http1Server {
  readonly #limits: RpcLimits;
  readonly #memory: MemoryBudget;
  readonly #onExchange: (exchange: NodeExchange) => void;
  readonly #refusals: RefusalLog;
  /** Made for the first connection: calls of gRPC come by HTTP/2, and loading Node's takes 4 ms of a start. */
  #server: http.Server | undefined;
  readonly #connections = new Map<Socket, Connection>();
  readonly #lines = new Map<Socket, Line>();
  /** Responses that are under way. */
  readonly #responses = new Set<http.ServerResponse>();
  #isClosing = false;

  constructor(
    onExchange: (exchange: NodeExchange) => void,
    limits: RpcLimits,
    memory: MemoryBudget,
    refusals: RefusalLog,
  ) {
    this.#limits = limits;
    this.#memory = memory;
    this.#onExchange = onExchange;
    this.#refusals = refusals;
  }

  /** Takes over a connection. */
  take(socket: Socket, connection: Connection): void {
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#leave(socket, connection);
    });
    this.#server ??= this.#createServer();
    this.#server.emit('connection', socket);
    // Without a listener node's parser reads below the stream, where no pause holds: what is to wait in the socket
    // would be read, and what is decrypted already would fail with "Parse Error: Paused".
    socket.on('data', () => {});
  }

  /**
   * Tells clients by `connection: close` to go elsewhere, where the response has not begun. Connections without a
   * request stay open until `cutIdle`: one may be on its way, and proxies repeat none that is a POST.
   */
  close(): void {
    this.#isClosing = true;
    for (const response of this.#responses) response.shouldKeepAlive = false;
  }

  /** After `close`, cuts the connections whose requests are not there: node's own timeouts end here with its server. */
  cutIdle(): void {
    this.#server?.close();
    const busy = new Set([...this.#responses].map(({ socket }) => socket));
    for (const socket of this.#connections.keys()) if (!busy.has(socket)) socket.destroy();
  }

  #createServer(): http.Server {
    const options = {
      maxHeaderSize: this.#limits.maxHeaderBytes,
      // Node takes no longer time for the headers than for the request.
      headersTimeout: Math.min(this.#limits.handshakeTimeoutMs, this.#limits.requestTimeoutMs),
      requestTimeout: this.#limits.requestTimeoutMs,
      keepAliveTimeout: this.#limits.idleTimeoutMs,
      connectionsCheckingInterval: 1000,
    };
    const onRequest = (req: http.IncomingMessage, res: http.ServerResponse) => {
      const { socket } = req;
      const connection = this.#connections.get(socket);
      if (connection === undefined) return void socket.destroy();
      const start = () => this.#start(req, res, connection);
      const line = this.#lines.get(socket);
      if (line === undefined) {
        this.#lines.set(socket, { waiting: [] });
        start();
      } else this.#wait(socket, connection, line, start);
    };
    const server = http.createServer(options, onRequest);
    // Node would answer 417 by itself, past the gate and the log; an expectation may be ignored (RFC 9110 section
    // 10.1.1).
    server.on('checkExpectation', onRequest);
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      this.#refusals.note(
        this.#connections.get(socket)?.peer,
        'bad_http1',
        `HTTP/1.1: ${error.code ?? error.message}`,
      );
      if (socket.writable) socket.end(answerTo(error.code));
      else socket.destroy();
    });
    server.on('connect', (_req, socket) => {
      this.#refusals.note(undefined, 'connect', 'HTTP/1.1: CONNECT');
      socket.destroy();
    });
    // A server that does not listen itself enforces its timeouts only from then on.
    server.emit('listening');
    return server;
  }

  #start(req: http.IncomingMessage, res: http.ServerResponse, connection: Connection): void {
    const { socket } = req;
    this.#responses.add(res);
    if (this.#isClosing || this.#isTooOld(connection)) res.shouldKeepAlive = false;
    res.once('close', () => {
      this.#responses.delete(res);
      if (this.#isClosing) socket.end();
      this.#next(socket, connection);
    });
    this.#onExchange(new NodeExchange(req, res, connection, this.#limits));
  }

  #isTooOld({ openedAtMs }: Connection): boolean {
    const { maxConnectionAgeMs } = this.#limits;
    return maxConnectionAgeMs > 0 && performance.now() - openedAtMs > maxConnectionAgeMs;
  }

  /** Requests that came in one piece are parsed already. What comes later stays in the socket. */
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
      // In a turn of its own: a thousand small ones that came in one piece must not hold up everybody else. By then the
      // connection may be gone, and nobody would tell the call.
      setImmediate(() => this.#connections.has(socket) && next());
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

/** What a client is told of bytes that are no request, as node says it. */
function answerTo(code: string | undefined): string {
  const statuses: Readonly<Record<string, string>> = {
    HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
    ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  };
  return `HTTP/1.1 ${statuses[code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`;
}
