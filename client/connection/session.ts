import http2 from 'node:http2';
import type net from 'node:net';
import { TLSSocket } from 'node:tls';
import { Code, ConnectError } from '@connectrpc/connect';
import { defaults } from '../defaults.ts';
import { readEarly } from './early-reading.ts';
import { noteFate } from './fate.ts';
import { codedError } from './handshake.ts';
import { type Keepalive, keepAlive } from './keepalive.ts';

/** How long a connection may take to open, and stay open without a call, and how it is watched. */
export interface SessionOptions {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly keepalive: Keepalive;
}

/** What the owner of a session is told. */
export interface SessionOwner {
  /** It must get no further calls. */
  retired(): void;
  /** The server ends it because of its PINGs, as gRPC servers do. */
  pingedTooOften(): void;
  closed(): void;
}

/** A call that is under way. */
interface Begun {
  readonly stream: http2.ClientHttp2Stream;
  readonly sinceMs: number;
  /** What the socket had read until then. */
  readonly bytesRead: number;
}

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } =
  http2.constants;

/**
 * NGHTTP2_ERR_PROTO: Node reports it if the first thing that a server says is no HTTP/2
 * (`Http2Session::OnNghttpError`).
 */
const notHttp2 = -505;

/** One HTTP/2 connection, from its socket to its end. */
export class Session {
  readonly #session: http2.ClientHttp2Session;
  readonly #socket: net.Socket;
  readonly #options: SessionOptions;
  readonly #owner: SessionOwner;
  readonly #opened = Promise.withResolvers<void>();
  /** In the order in which they began. */
  readonly #calls = new Set<Begun>();
  /** How long the server took to be heard; no round trip is longer. */
  #patienceMs = Number.POSITIVE_INFINITY;
  /** What the socket had read when the last call began. */
  #bytesRead = 0;
  #idle: NodeJS.Timeout | undefined;

  /** @param socket a new one, to the origin */
  constructor(socket: net.Socket, origin: string, options: SessionOptions, owner: SessionOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#socket = socket;
    // These listeners come before Node's own, which would take some of these errors for a normal end.
    socket.on('error', (error) => session.destroy(closedByServer(socket, error)));
    socket.on('close', () => {
      if (!session.destroyed) session.destroy(closedByServer(socket));
    });
    // The session ends its socket when all is done, and then waits for a server that may not care to do the same.
    socket.on('finish', () => socket.destroy());
    const session = http2.connect(origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: defaults.streamWindowBytes },
    });
    this.#session = session;
    this.#opened.promise.catch(() => {});

    const begunMs = performance.now();
    const heard = () => {
      this.#patienceMs = performance.now() - begunMs;
    };
    const { connectTimeoutMs } = options;
    const timer = setTimeout(() => {
      session.destroy(lost(`not connected after ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    session.once('connect', () => {
      // Node tells of it though the session has been destroyed since.
      if (session.destroyed) return;
      if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
        const error = lost('the server does not speak HTTP/2');
        noteFate(error, 'not HTTP/2');
        session.destroy(error);
        return;
      }
      heard();
      session.setLocalWindowSize(defaults.connectionWindowBytes);
      keepAlive(session, socket, options.keepalive, () => this.#calls.size === 0, heard);
      session.unref();
      this.#opened.resolve();
    });
    // An HTTP/2 server begins with them (RFC 9113 section 3.4), whatever its calls may take.
    session.once('remoteSettings', () => {
      clearTimeout(timer);
      heard();
    });
    session.on('goaway', (code, _, data) => {
      if (code === NGHTTP2_ENHANCE_YOUR_CALM && data?.toString() === 'too_many_pings') owner.pingedTooOften();
      owner.retired();
    });
    // For as long as the session lives: without a listener its last error would end the process.
    session.on('error', (error) => this.#fail(error));
    session.on('close', () => {
      clearTimeout(timer);
      clearTimeout(this.#idle);
      this.#fail(lost('the connection was closed'));
      owner.closed();
    });
  }

  /** Resolves when it takes calls, and rejects with the reason if it never does. */
  opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Begins a call. */
  request(
    headers: http2.OutgoingHttpHeaders,
    options: http2.ClientSessionRequestOptions,
  ): http2.ClientHttp2Stream {
    const stream = this.#session.request(headers, options);
    readEarly(stream);
    this.#bytesRead = this.#socket.bytesRead;
    this.#follow({ stream, sinceMs: performance.now(), bytesRead: this.#bytesRead });
    return stream;
  }

  /** Whether a call has just been given up without a word of the server for longer than one takes to come. */
  isSilent(): boolean {
    if (this.#socket.bytesRead !== this.#bytesRead) return false;
    const nowMs = performance.now();
    for (const call of this.#calls) {
      // Those behind it are younger.
      if (nowMs - call.sinceMs < this.#patienceMs) return false;
      if (call.stream.closed && this.#isUnheard(call)) return true;
    }
    return false;
  }

  /** Takes no further calls, and ends with the last of those it has. */
  leave(): void {
    this.#owner.retired();
    this.#session.close();
  }

  /** Ends it, and its calls with this reason. */
  destroy(reason: Error): void {
    this.#session.destroy(reason);
  }

  #fail(reason: Error): void {
    if (isNotHttp2(reason)) noteFate(reason, 'not HTTP/2');
    this.#owner.retired();
    this.#opened.reject(reason);
  }

  #follow(call: Begun): void {
    const { stream } = call;
    clearTimeout(this.#idle);
    this.#calls.add(call);
    if (this.#calls.size === 1) this.#session.ref();
    let ended = false;
    stream.on('response', () => {
      ended = true;
    });
    stream.on('error', (error) => {
      if (!ended) noteReset(stream, error);
      ended = true;
    });
    stream.once('close', () => {
      this.#calls.delete(call);
      // connect-node waits for one of these three: an answer, an error, or an error code.
      if (!ended && stream.rstCode === NGHTTP2_NO_ERROR) {
        stream.emit('error', lost('the stream ended without an answer'));
      }
      if (this.#calls.size === 0 && !this.#session.destroyed) {
        this.#session.unref();
        this.#idle = setTimeout(() => this.leave(), this.#options.idleTimeoutMs).unref();
      }
      if (this.#isUnheard(call)) this.leave();
    });
  }

  /**
   * Whether the call was given up though the server had time to be heard: the connection may be dead with nobody having
   * said so, and the next call must not wait until TCP notices (RFC 1122 section 4.2.3.5: 100 s or more). A deadline is
   * what the caller holds for enough; who cancels may have any reason, so it takes a longer silence.
   */
  #isUnheard({ stream, sinceMs, bytesRead }: Begun): boolean {
    if (stream.rstCode === NGHTTP2_NO_ERROR || this.#socket.bytesRead !== bytesRead) return false;
    const patienceMs =
      stream.rstCode === NGHTTP2_CANCEL ? Math.max(this.#patienceMs, defaults.silenceMs) : this.#patienceMs;
    return performance.now() - sinceMs >= patienceMs;
  }
}

/** The server has reset a stream before it answered. */
function noteReset(stream: http2.ClientHttp2Stream, error: Error): void {
  if (isNotHttp2(error)) noteFate(error, 'not HTTP/2');
  if (codedError(error)?.code !== 'ERR_HTTP2_STREAM_ERROR') return;
  if (stream.rstCode === NGHTTP2_REFUSED_STREAM) noteFate(error, 'refused');
  if (stream.rstCode === NGHTTP2_ENHANCE_YOUR_CALM) noteFate(error, 'shed');
}

function isNotHttp2(error: Error): boolean {
  const coded = codedError(error);
  if (coded?.code === 'ERR_HTTP2_ERROR') return 'errno' in coded && coded.errno === notHttp2;
  return coded?.code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
}

function lost(message: string): ConnectError {
  return new ConnectError(message, Code.Unavailable);
}

/**
 * What the calls of a connection that the server ended fail with; the error is what the socket says of it, if anything.
 */
function closedByServer(socket: net.Socket, error?: Error): Error {
  const reset = error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
  if (socket instanceof TLSSocket || socket.bytesRead > 0 || (error && !reset)) {
    return error ?? lost('the server closed the connection');
  }
  const atOnce = lost('the server closed the connection at once: if it speaks TLS, try https://');
  // An HTTP/2 server begins with SETTINGS (RFC 9113 section 3.4), before it reads calls; a reset may swallow them.
  if (!reset) noteFate(atOnce, 'unsent');
  return atOnce;
}
