import http2 from 'node:http2';
import type net from 'node:net';
import { TLSSocket } from 'node:tls';
import { Code, ConnectError } from '@connectrpc/connect';
import { markUnsent } from '../call/failure.ts';
import { type Address, dial } from './dial.ts';

/** How long a connection may take to open, and stay open without a call. */
export interface ConnectionTimeouts {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/**
 * One HTTP/2 connection to the endpoint: opened for the first call, and replaced once it is closed, lost, or told to
 * go away. It keeps the process alive only while a call is running.
 *
 * It is a session manager as connect-node's transports take one, and stands in for theirs, because behind a load balancer connections end all the time:
 * - that one removes its error listener while a connection is still closing, which ends the process after GOAWAY on
 *   an idle connection (https://github.com/connectrpc/connect-es/issues/1768);
 * - a lost connection closes its calls as CANCELLED, or, after GOAWAY, with no error at all: here the socket's end
 *   reaches the calls as UNAVAILABLE before Node interprets it;
 * - a stream that ends without an answer or an error leaves its call waiting for ever;
 * - it keeps connections alive with PING, which an ALB doesn't answer.
 */
export class Connection {
  readonly authority: string;
  readonly #address: Address;
  readonly #timeouts: ConnectionTimeouts;
  /** Takes new calls. */
  #current: Promise<Opened> | undefined;
  /** All that are open, also those that only finish their calls. */
  readonly #sessions = new Set<http2.ClientHttp2Session>();
  #closed = false;

  constructor(address: Address, timeouts: ConnectionTimeouts) {
    this.authority = address.origin;
    this.#address = address;
    this.#timeouts = timeouts;
  }

  /** Begins a call. */
  async request(
    method: string,
    path: string,
    headers: http2.OutgoingHttpHeaders,
    options: Omit<http2.ClientSessionRequestOptions, 'signal'>,
  ): Promise<http2.ClientHttp2Stream> {
    if (this.#closed) throw closedByCaller();
    this.#current ??= this.#open();
    const opened = await this.#current.catch((reason) => {
      markUnsent(reason);
      throw reason;
    });
    const stream = opened.session.request({ ...headers, ':method': method, ':path': path }, options);
    this.#follow(stream, opened);
    return stream;
  }

  /** Part of connect-node's interface, for its PING timers. There are none here. */
  notifyResponseByteRead(): void {}

  /** Ends the connection and its calls, for good. */
  close(): void {
    this.#closed = true;
    for (const session of this.#sessions) session.destroy(closedByCaller());
  }

  #open(): Promise<Opened> {
    const { promise, resolve, reject } = Promise.withResolvers<Opened>();
    const socket = dial(this.#address, 'h2');
    // These listeners come before Node's own, which would take some of these errors for a normal end.
    socket.on('error', (error) => session.destroy(closedByServer(socket, error)));
    socket.on('close', () => {
      if (!session.destroyed) session.destroy(closedByServer(socket));
    });
    // The session ends its socket when all is done, and then waits for a server that may not care to do the same.
    socket.on('finish', () => socket.destroy());
    const session = http2.connect(this.authority, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    this.#sessions.add(session);
    const retire = () => {
      if (this.#current === promise) this.#current = undefined;
    };
    const opened: Opened = { session, socket, retire, calls: 0, idle: undefined };

    const timer = setTimeout(() => {
      session.destroy(lost(`not connected after ${this.#timeouts.connectTimeoutMs} ms`));
    }, this.#timeouts.connectTimeoutMs);
    session.on('connect', () => {
      clearTimeout(timer);
      if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
        session.destroy(lost('the server does not speak HTTP/2'));
        return;
      }
      resolve(opened);
      session.unref();
    });
    session.on('goaway', retire);
    // For as long as the session lives: without a listener its last error would end the process.
    session.on('error', (error) => {
      retire();
      reject(error);
    });
    session.on('close', () => {
      clearTimeout(timer);
      clearTimeout(opened.idle);
      retire();
      reject(lost('the connection was closed'));
      this.#sessions.delete(session);
    });
    return promise;
  }

  #follow(stream: http2.ClientHttp2Stream, opened: Opened): void {
    const { session, socket } = opened;
    const readBefore = socket.bytesRead;
    const end = () => {
      opened.retire();
      session.close();
    };
    clearTimeout(opened.idle);
    if (opened.calls++ === 0) session.ref();
    let ended = false;
    stream.on('response', () => {
      ended = true;
    });
    stream.on('error', () => {
      ended = true;
    });
    stream.once('close', () => {
      // connect-node waits for one of these three: an answer, an error, or an error code.
      if (!ended && stream.rstCode === http2.constants.NGHTTP2_NO_ERROR) {
        stream.emit('error', lost('the stream ended without an answer'));
      }
      if (--opened.calls === 0 && !session.destroyed) {
        session.unref();
        opened.idle = setTimeout(end, this.#timeouts.idleTimeoutMs).unref();
      }
      // A call that was given up without a single byte from the server: the connection may be dead with nobody having
      // said so, and the next call must not wait until TCP notices (RFC 1122 section 4.2.3.5: 100 s or more).
      if (stream.rstCode !== http2.constants.NGHTTP2_NO_ERROR && socket.bytesRead === readBefore) end();
    });
  }
}

interface Opened {
  readonly session: http2.ClientHttp2Session;
  readonly socket: net.Socket;
  /** Keeps further calls away. */
  readonly retire: () => void;
  calls: number;
  idle: NodeJS.Timeout | undefined;
}

function lost(message: string): ConnectError {
  return new ConnectError(message, Code.Unavailable);
}

/** What the calls of a connection that the server ended fail with; the error is what the socket says of it, if anything. */
function closedByServer(socket: net.Socket, error?: Error): Error {
  const reset = error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
  if (socket instanceof TLSSocket || socket.bytesRead > 0 || (error && !reset)) {
    return error ?? lost('the server closed the connection');
  }
  const atOnce = lost('the server closed the connection at once: if it speaks TLS, try https://');
  // An HTTP/2 server begins with SETTINGS (RFC 9113 section 3.4), before it reads calls; a reset may swallow them.
  if (!reset) markUnsent(atOnce);
  return atOnce;
}

function closedByCaller(): ConnectError {
  return new ConnectError('the client is closed', Code.Canceled);
}
