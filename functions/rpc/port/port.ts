import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import type { Limits } from '../../limits.ts';
import type { Log } from '../call/access-log.ts';
import type { NodeRequest, NodeResponse } from '../http/node-http.ts';
import { Sessions } from '../http2/node/sessions.ts';

/** Serving with TLS. All in PEM. */
export interface TlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** With it, only clients with a certificate of this authority get in (mutual TLS). */
  readonly clientCa?: string | Buffer | undefined;
}

/** What a port does with what arrives. */
export interface PortHandlers {
  /** A stream of an HTTP/2 session. False: hand it to `onRequest`. */
  readonly onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => boolean;
  /** An HTTP/1.1 request, or one of HTTP/2 that `onStream` left. */
  readonly onRequest: (req: NodeRequest, res: NodeResponse) => void;
}

/** The first bytes of an HTTP/2 client that knows what it talks to (RFC 9113 section 3.4). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** One TCP port that speaks HTTP/1.1 and HTTP/2, in plain text or with TLS. */
export class Port {
  readonly #limits: Limits;
  readonly #log: Log | undefined;
  readonly #listener: net.Server | tls.Server;
  readonly #http1: http.Server;
  readonly #http2: http2.Http2Server;
  readonly #sessions: Sessions;
  readonly #sockets = new Set<Socket>();
  /** Of connections that have not said yet what they speak: gives them less time. */
  readonly #hurry = new Set<() => void>();
  readonly #http1Sockets = new Set<Socket>();
  /** HTTP/1.1 responses that are under way. */
  readonly #responses = new Set<http.ServerResponse>();
  #isClosing = false;

  constructor(handlers: PortHandlers, limits: Limits, tlsOptions: TlsOptions | undefined, log?: Log) {
    this.#limits = limits;
    this.#log = log;
    this.#sessions = new Sessions(limits);
    this.#http1 = this.#createHttp1(handlers);
    this.#http2 = this.#createHttp2(handlers);
    this.#listener = tlsOptions === undefined ? net.createServer() : this.#createTls(tlsOptions);
    this.#listener.maxConnections = limits.maxConnections;
    this.#listener.on('drop', (from) => log?.warn({ peer: from?.remoteAddress }, 'connection limit reached'));
    this.#listener.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 60_000);
      // A connection that breaks has nobody to be told; its calls learn of it by their streams.
      socket.on('error', () => {});
      if (tlsOptions === undefined) this.#sniff(socket);
    });
    // Also of a handshake that takes too long: node only tells.
    this.#listener.on('tlsClientError', (_error: Error, socket: tls.TLSSocket) => socket.destroy());
    // With TLS the client has already said by ALPN what it speaks.
    this.#listener.on('secureConnection', (socket: tls.TLSSocket) => {
      const server = socket.alpnProtocol === 'h2' ? this.#http2 : this.#http1;
      server.emit('connection', socket);
      // Without a listener node's parser reads below the stream, where a pause does not hold for what is decrypted
      // already: a request that comes while the last response still drains would fail with "Parse Error: Paused".
      if (server === this.#http1) socket.on('data', () => {});
    });
  }

  /** Starts to listen. Rejects with the system's error when the address can't be had, or when it listens already. */
  async listen(options: { host: string; port: number }): Promise<AddressInfo> {
    const listener = this.#listener;
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error) => {
        listener.off('error', settle).off('listening', settle);
        error === undefined ? resolve() : reject(error);
      };
      listener.once('error', settle).once('listening', settle);
      try {
        listener.listen(options);
      } catch (error) {
        settle(error instanceof Error ? error : new Error(String(error)));
      }
    });
    // Such as EMFILE: the connection is lost, and the others must not be.
    listener.on('error', (err) => this.#log?.error({ err }, 'a connection could not be accepted'));
    // Servers that never listen themselves don't enforce their header and request timeouts otherwise.
    this.#http1.emit('listening');
    this.#sessions.sweepIdle();
    return listener.address() as AddressInfo; // of a listening TCP server
  }

  /**
   * Takes no more connections and lets the running requests finish. Clients are told to go elsewhere: on HTTP/2 by
   * GOAWAY, on HTTP/1.1 by `connection: close` where the response has not begun. Requests whose headers are not there
   * soon are not waited for. Resolves when all connections are gone.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    this.#http1.close();
    for (const response of this.#responses) response.shouldKeepAlive = false;
    for (const hurry of this.#hurry) hurry();
    this.#sessions.close();
    // node's own timeouts for requests have ended with its server.
    const timer = setTimeout(() => this.#cutPartialRequests(), this.#limits.goawayTimeoutMs);
    await closed;
    clearTimeout(timer);
  }

  #cutPartialRequests(): void {
    const busy = new Set([...this.#responses].map(({ socket }) => socket));
    for (const socket of this.#http1Sockets) if (!busy.has(socket)) socket.destroy();
  }

  /** Cuts all connections. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Waits for the first bytes, which tell the two versions of HTTP apart. */
  #sniff(socket: Socket): void {
    let head: Buffer = Buffer.alloc(0);
    const { handshakeTimeoutMs, goawayTimeoutMs } = this.#limits;
    let timer = setTimeout(() => socket.destroy(), handshakeTimeoutMs);
    const hurry = () => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), goawayTimeoutMs);
    };
    this.#hurry.add(hurry);
    const stop = () => {
      clearTimeout(timer);
      this.#hurry.delete(hurry);
      socket.off('data', onData);
      socket.off('close', stop);
    };
    const onData = (chunk: Buffer) => {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const isHttp2 = head.subarray(0, preface.length).equals(preface.subarray(0, head.length));
      if (isHttp2 && head.length < preface.length) return;
      stop();
      // Back to where a fresh socket is, so that the server finds what we have read.
      socket.pause();
      socket.unshift(head);
      (isHttp2 ? this.#http2 : this.#http1).emit('connection', socket);
      if (!isHttp2) socket.resume();
    };
    socket.on('data', onData);
    socket.on('close', stop);
  }

  #createHttp1(handlers: PortHandlers): http.Server {
    const { maxHeaderBytes, handshakeTimeoutMs, requestTimeoutMs, idleTimeoutMs } = this.#limits;
    const options = {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: handshakeTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: 1000,
    };
    const server = http.createServer(options, (req, res) => {
      this.#responses.add(res);
      if (this.#isClosing) res.shouldKeepAlive = false;
      res.once('close', () => {
        this.#responses.delete(res);
        if (this.#isClosing) req.socket.end();
      });
      handlers.onRequest(req, res);
    });
    server.on('connection', (socket) => {
      this.#http1Sockets.add(socket);
      socket.once('close', () => this.#http1Sockets.delete(socket));
    });
    return server;
  }

  #createHttp2(handlers: PortHandlers): http2.Http2Server {
    const limits = this.#limits;
    const server = http2.createServer({
      maxSessionMemory: limits.maxSessionMemoryMiB,
      streamResetBurst: limits.streamResetBurst,
      streamResetRate: limits.streamResetsPerSecond,
      maxHeaderListPairs: limits.maxHeaderPairs,
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
      },
    });
    // Turns streams into requests of node's compatibility API, which costs more than a small call:
    // it is a server of its own, which never listens, so that only the streams that need it pay for it.
    const compatibility = http2.createServer((req, res) => handlers.onRequest(req, res));
    server.on('stream', (stream, headers, flags, rawHeaders) => {
      this.#sessions.use(stream.session);
      if (stream.session?.pendingSettingsAck && headerBytes(rawHeaders) > limits.maxHeaderBytes) {
        // node keeps to our settings only once the client has acknowledged them, which may be after its first call.
        stream.on('error', () => {});
        return stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      }
      if (!handlers.onStream(stream, headers))
        compatibility.emit('stream', stream, headers, flags, rawHeaders);
    });
    server.on('session', (session) => this.#sessions.add(session));
    return server;
  }

  #createTls(options: TlsOptions): tls.Server {
    return tls.createServer({
      cert: options.cert,
      key: options.key,
      ca: options.clientCa,
      requestCert: options.clientCa !== undefined,
      rejectUnauthorized: options.clientCa !== undefined,
      ALPNProtocols: ['h2', 'http/1.1'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: this.#limits.handshakeTimeoutMs,
    });
  }
}

/** The size of a block of headers, names and values in turn (RFC 9113 section 10.5.1). */
function headerBytes(headers: readonly string[]): number {
  return headers.reduce((sum, text) => sum + text.length + 16, 0);
}
