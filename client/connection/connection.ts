import type http2 from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Address } from './address.ts';
import { noteFate } from './fate.ts';
import { Session, type SessionOptions } from './session.ts';

/**
 * The connection to an endpoint over HTTP/2: opened for the first call, and replaced once it is closed, lost, silent, or
 * told to go away. It keeps the process alive only while a call is running.
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
  readonly #address: Address;
  #options: SessionOptions;
  /** Takes new calls. */
  #current: Promise<Session> | undefined;
  /** The same once it is open. */
  #opened: Session | undefined;
  /** All that are open, also those that only finish their calls. */
  readonly #sessions = new Set<Session>();
  #closed = false;

  constructor(address: Address, options: SessionOptions) {
    this.authority = address.origin;
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
    if (this.#closed) throw closedByCaller();
    if (this.#opened?.isSilent()) this.#opened.leave();
    try {
      this.#current ??= this.#open();
      const session = await this.#current;
      return session.request({ ...headers, ':method': method, ':path': path }, options);
    } catch (reason) {
      noteFate(reason, 'unsent');
      throw reason;
    }
  }

  /** Part of connect-node's interface, for its PING timers. Ours look at the socket. */
  notifyResponseByteRead(): void {}

  /** Ends the connection and its calls, for good. */
  close(): void {
    this.#closed = true;
    for (const session of this.#sessions) session.destroy(closedByCaller());
  }

  #open(): Promise<Session> {
    const session = new Session(this.#address, this.#options, {
      retired: () => {
        if (this.#current !== opened) return;
        this.#current = undefined;
        this.#opened = undefined;
      },
      // As grpc-go does (https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md#throttling).
      pingedTooOften: () => {
        const { keepalive } = this.#options;
        this.#options = { ...this.#options, keepalive: { ...keepalive, timeMs: keepalive.timeMs * 2 } };
      },
      closed: () => this.#sessions.delete(session),
    });
    this.#sessions.add(session);
    const opened = session.opened().then(() => {
      if (this.#current === opened) this.#opened = session;
      return session;
    });
    return opened;
  }
}

function closedByCaller(): ConnectError {
  return new ConnectError('the client is closed', Code.Canceled);
}
