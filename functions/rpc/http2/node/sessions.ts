import http2, { type Http2Session, type ServerHttp2Session } from 'node:http2';
import type { Connection } from '../../call/connection.ts';
import type { RpcLimits } from '../../limits.ts';
import { outliveStreamFaults } from './stream-fault.ts';

/** The greatest stream id: a GOAWAY with it announces the end, but refuses nothing yet (RFC 9113 section 6.8). */
const maxStreamId = 2 ** 31 - 1;

/** The HTTP/2 sessions of a port, from their handshake to their GOAWAY. */
export class Sessions {
  readonly #limits: RpcLimits;
  readonly #open = new Map<ServerHttp2Session, Connection>();
  /** Those that have had a call since the last sweep. */
  readonly #used = new Set<Http2Session | undefined>();
  #sweep: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(limits: RpcLimits) {
    this.#limits = limits;
  }

  /** Takes care of a new session until it is closed. */
  add(session: ServerHttp2Session, connection: Connection): void {
    // It must send SETTINGS and accept ours (RFC 9113 section 6.5.3): until then, our limits do not hold for it.
    const timer = setTimeout(() => session.destroy(), this.#limits.handshakeTimeoutMs).unref();
    session.once('localSettings', () => clearTimeout(timer));
    const ageTimer = this.#endWithAge(session, connection);
    session.once('close', () => {
      clearTimeout(timer);
      clearTimeout(ageTimer);
      this.#open.delete(session);
      this.#used.delete(session);
    });
    outliveStreamFaults(session, connection, this.#limits.goawayTimeoutMs);
    // As for sockets: the streams of the session end with it, and tell their calls.
    session.on('error', () => {});
    this.#open.set(session, connection);
    if (this.#isClosing) this.#dismiss(session);
  }

  /** As grpc-go's MaxConnectionAge: by chance a little sooner or later, or all clients would come anew at once. */
  #endWithAge(session: ServerHttp2Session, connection: Connection): NodeJS.Timeout | undefined {
    const { maxConnectionAgeMs, connectionAgeGraceMs } = this.#limits;
    if (maxConnectionAgeMs === 0) return undefined;
    const end = () => {
      this.#dismiss(session);
      const timer = setTimeout(() => connection.destroy(), connectionAgeGraceMs).unref();
      session.once('close', () => clearTimeout(timer));
    };
    return setTimeout(end, maxConnectionAgeMs * (0.9 + 0.2 * Math.random())).unref();
  }

  /** Notes that a session has got a call. */
  use(session: Http2Session | undefined): void {
    this.#used.add(session);
  }

  /**
   * From now on, ends the sessions that have had no new call for `idleTimeoutMs`, and twice that at most. (A timer
   * for each, as sessions offer it, is set anew with every frame.) Calls that are still open may finish. A client that does not
   * close its side afterwards is cut: the session itself would wait for it, however long that takes.
   */
  sweepIdle(): void {
    this.#sweep = setInterval(() => {
      for (const [session, connection] of this.#open) {
        if (session.destroyed) connection.destroy();
        else if (!this.#used.has(session)) session.close();
      }
      this.#used.clear();
    }, this.#limits.idleTimeoutMs).unref();
  }

  /** Ends all sessions, also those still to come, once their calls are done. */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#sweep);
    for (const session of this.#open.keys()) this.#dismiss(session);
  }

  /**
   * Tells a client twice (RFC 9113 section 6.8): once so that it sends no more calls, and, a round trip later,
   * which of its calls were taken; the others it can send elsewhere.
   */
  #dismiss(session: ServerHttp2Session): void {
    if (session.closed || session.destroyed) return;
    session.goaway(http2.constants.NGHTTP2_NO_ERROR, maxStreamId);
    // After GOAWAY, node reads a session only while it has streams: the answer to the PING may stay unread.
    const timer = setTimeout(() => session.close(), this.#limits.goawayTimeoutMs).unref();
    session.once('close', () => clearTimeout(timer));
    const isSent = session.ping(() => session.close());
    if (!isSent) session.close();
  }
}
