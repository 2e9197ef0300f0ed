import type http2 from 'node:http2';
import type { Socket } from 'node:net';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Address } from './address.ts';
import { dial, tunnelTo } from './dial.ts';
import { noteFate } from './fate.ts';
import { Session, type SessionOptions } from './session.ts';

/**
 * The connection to an endpoint over HTTP/2: opened for the first call, and replaced once it is closed, lost, silent,
 * or told to go away. It keeps the process alive only while a call is running.
 *
 * It is a session manager as connect-node's transports take one, and stands in for theirs, because behind a load
 * balancer connections end all the time:
 * - that one removes its error listener while a connection is still closing, which ends the process after GOAWAY on
 *   an idle connection (https://github.com/connectrpc/connect-es/issues/1768);
 * - a lost connection closes its calls as CANCELLED, or, after GOAWAY, with no error at all: here the socket's end
 *   reaches the calls as UNAVAILABLE before Node interprets it;
 * - a stream that ends without an answer or an error leaves its call waiting for ever;
 * - it takes a connection for dead that does not answer a PING, which an ALB never does, and sends further calls on one
 *   that has been silent for the whole of a call.
 */
export class Connection {
  readonly authority: string;
  /** For `:authority`: Node leaves out the brackets of an IPv6 address. */
  readonly #host: string;
  readonly #address: Address;
  #options: SessionOptions;
  /** Takes new calls. */
  #current: Promise<Session> | undefined;
  /** The same once it is open. */
  #opened: Session | undefined;
  /** All that are open, also those that only finish their calls. */
  readonly #sessions = new Set<Session>();
  readonly #ended = new AbortController();

  constructor(address: Address, options: SessionOptions) {
    this.authority = address.origin;
    this.#host = new URL(address.origin).host;
    this.#address = address;
    this.#options = options;
  }

  /** Begins a call. */
  async request(
    method: string,
    path: string,
    headers: http2.OutgoingHttpHeaders,
    options: Omit<http2.ClientSessionRequestOptions, 'signal'>,
  ): Promise<http2.ClientHttp2Stream> {
    if (this.#ended.signal.aborted) throw closedByCaller();
    if (this.#opened?.isSilent()) this.#opened.leave();
    try {
      this.#current ??= this.#open();
      const session = await this.#current;
      const pseudo = { ':authority': this.#host, ':method': method, ':path': path };
      return session.request({ ...headers, ...pseudo }, options);
    } catch (reason) {
      if (this.#ended.signal.aborted) throw closedByCaller();
      noteFate(reason, 'unsent');
      throw reason;
    }
  }

  /** Part of connect-node's interface, for its PING timers. Ours look at the socket. */
  notifyResponseByteRead(): void {}

  /** Ends the connection and its calls, for good. */
  close(): void {
    this.#ended.abort();
    for (const session of this.#sessions) session.destroy(closedByCaller());
  }

  #open(): Promise<Session> {
    const opened = this.#dial().then(async (socket) => {
      const session = new Session(socket, this.authority, this.#options, {
        retired: () => retire(),
        // As grpc-go does (https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md).
        pingedTooOften: () => {
          const { keepalive } = this.#options;
          this.#options = { ...this.#options, keepalive: { ...keepalive, timeMs: keepalive.timeMs * 2 } };
        },
        closed: () => this.#sessions.delete(session),
      });
      this.#sessions.add(session);
      if (this.#ended.signal.aborted) session.destroy(closedByCaller());
      await session.opened();
      if (this.#current === opened) this.#opened = session;
      return session;
    });
    const retire = () => {
      if (this.#current !== opened) return;
      this.#current = undefined;
      this.#opened = undefined;
    };
    opened.catch(retire);
    return opened;
  }

  async #dial(): Promise<Socket> {
    const { connectTimeoutMs } = this.#options;
    const tunnel = await tunnelTo(this.#address, connectTimeoutMs, this.#ended.signal);
    return dial(this.#address, 'h2', { connectTimeoutMs, tunnel });
  }
}

function closedByCaller(): ConnectError {
  return new ConnectError('the client is closed', Code.Canceled);
}
