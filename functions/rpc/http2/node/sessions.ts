import http2, { type Http2Session, type ServerHttp2Session } from 'node:http2';
import type { Connection } from '../../call/connection.ts';
import type { RpcLimits } from '../../limits.ts';
import type { ConnectionCounts } from '../../telemetry/connection-counts.ts';
import { outliveStreamFaults } from './stream-fault.ts';

/** The greatest stream id: a GOAWAY with it announces the end, but refuses nothing yet (RFC 9113 section 6.8). */
const maxStreamId = 2 ** 31 - 1;

/** The HTTP/2 sessions of a port, from their handshake to their GOAWAY. */
export class Sessions {
  readonly #limits: RpcLimits;
  readonly #counts: ConnectionCounts;
  readonly #open = new Map<ServerHttp2Session, Connection>();
  /** Sessions that have had a call since the last sweep. */
  readonly #used = new Set<Http2Session | undefined>();
  #sweep: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(limits: RpcLimits, counts: ConnectionCounts) {
    this.#limits = limits;
    this.#counts = counts;
  }

  /** Takes care of a new session until it is closed. */
  add(session: ServerHttp2Session, connection: Connection): void {
    // It must send SETTINGS and accept ours (RFC 9113 section 6.5.3): until then, our limits do not hold for it.
    const giveUp = () => {
      this.#counts.refused.handshake_timeout += 1;
      session.destroy();
    };
    const timer = setTimeout(giveUp, this.#limits.handshakeTimeoutMs).unref();
    session.once('localSettings', () => clearTimeout(timer));
    const ageTimer = this.#endWithAge(session, connection);
    session.once('close', () => {
      clearTimeout(timer);
      clearTimeout(ageTimer);
      this.#open.delete(session);
      this.#used.delete(session);
    });
    outliveStreamFaults(session, connection, this.#limits.goawayTimeoutMs);
    // Its streams end with the session, and tell their calls.
    session.on('error', () => {});
    this.#open.set(session, connection);
    if (this.#isClosing) this.#dismissWithNextCall(session);
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
   * From now on, ends sessions that have had no new call for `idleTimeoutMs`, or for twice that at most. (Sessions have
   * a timer of their own, but set it anew with every frame.) Calls that are still open may finish. A client that does
   * not close its side afterwards is cut: the session itself would wait for it, however long that takes.
   */
  sweepIdle(): void {
    this.#sweep = setInterval(() => {
      for (const [session, connection] of this.#open) {
        if (session.destroyed) connection.destroy();
        else if (!this.#used.has(session)) this.#end(session);
      }
      this.#used.clear();
    }, this.#limits.idleTimeoutMs).unref();
  }

  /** Sends GOAWAY; calls that are open may finish. */
  #end(session: ServerHttp2Session): void {
    if (session.closed) return;
    this.#counts.goaways += 1;
    session.close();
  }

  /** Ends all sessions once their calls are done, also those that are still to come. */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#sweep);
    for (const session of this.#open.keys()) this.#dismissWithNextCall(session);
  }

  /**
   * Waits for the session's next call, for at most `goawayTimeoutMs`, before it sends GOAWAY. After GOAWAY node reads a
   * session only while it has streams: a call that crosses the GOAWAY of an idle session would be lost. nginx answers
   * 502 then, since it never repeats what it has sent to grpc_pass.
   */
  #dismissWithNextCall(session: ServerHttp2Session): void {
    const dismiss = () => {
      clearTimeout(timer);
      session.off('stream', dismiss);
      session.off('close', dismiss);
      this.#dismiss(session);
    };
    const timer = setTimeout(dismiss, this.#limits.goawayTimeoutMs).unref();
    session.once('stream', dismiss);
    session.once('close', dismiss);
  }

  /**
   * Sends a client two GOAWAYs (RFC 9113 section 6.8). The first asks it to send no more calls. A round trip later, the
   * second says which of its calls were taken; it can send the others elsewhere.
   */
  #dismiss(session: ServerHttp2Session): void {
    if (session.closed || session.destroyed) return;
    this.#counts.goaways += 1;
    session.goaway(http2.constants.NGHTTP2_NO_ERROR, maxStreamId);
    // After GOAWAY, node reads a session only while it has streams: the answer to the PING may stay unread.
    const timer = setTimeout(() => session.close(), this.#limits.goawayTimeoutMs).unref();
    session.once('close', () => clearTimeout(timer));
    const isSent = session.ping(() => session.close());
    if (!isSent) session.close();
  }
}
