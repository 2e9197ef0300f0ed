import type { Duplex } from 'node:stream';
import type { RpcLimits } from '../limits.ts';
import type { ConnectionCounts } from '../telemetry/connection-counts.ts';
import { ConnectionFault, errorCode, maxUint31 } from './frame.ts';
import type { OpenStreams } from './open-streams.ts';
import type { Outbox } from './outbox.ts';

/** What the end of a connection needs of it. */
export interface EndingConnection {
  readonly limits: RpcLimits;
  readonly counts: ConnectionCounts;
  readonly outbox: Outbox;
  /** The last stream that was taken, or refused by a frame of its own. */
  readonly lastStreamId: number;
  readonly streams: OpenStreams;
  /** Nothing comes and nothing goes any more. Called once. */
  closed(): void;
}

/** How a connection ends: when it is asked to, for a fault of its client, or because that does not read. */
export class ConnectionEnd {
  /** Whether it was told which of its streams were the last that are taken. */
  isEnding = false;
  isClosed = false;
  readonly #owner: EndingConnection;
  readonly #socket: Duplex;
  #isDismissed = false;
  #handshakeTimer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #readingTimer: NodeJS.Timeout | undefined;

  constructor(owner: EndingConnection, socket: Duplex) {
    this.#owner = owner;
    this.#socket = socket;
    // The client must send SETTINGS and accept ours (section 6.5.3): until then, our limits do not hold for it.
    this.#handshakeTimer = setTimeout(() => {
      owner.counts.refused.handshake_timeout += 1;
      this.fail(new ConnectionFault(errorCode.settingsTimeout, 'no SETTINGS in time'));
    }, owner.limits.handshakeTimeoutMs).unref();
  }

  /** The client has acknowledged our settings. */
  settingsAcknowledged(): void {
    clearTimeout(this.#handshakeTimer);
    this.#handshakeTimer = undefined;
  }

  /**
   * Sends the client two GOAWAYs (section 6.8). The first asks it to send no more calls. A round trip later, the second
   * says which of its calls were taken; it can send the others elsewhere. The connection ends with its last call.
   */
  dismiss(): void {
    if (this.#isDismissed || this.isClosed) return;
    const { counts, outbox, limits } = this.#owner;
    this.#isDismissed = true;
    counts.goaways += 1;
    outbox.goaway(maxUint31, errorCode.noError);
    outbox.ping(roundTrip, false);
    this.#endTimer = setTimeout(() => this.end(), limits.goawayTimeoutMs).unref();
  }

  /** The client has answered a PING. Returns whether it was the one between two GOAWAYs. */
  pong(payload: Buffer): boolean {
    if (!this.#isDismissed || this.isEnding || !payload.equals(roundTrip)) return false;
    this.end();
    return true;
  }

  /** Sends GOAWAY. Calls that are open may finish; then the connection is closed. */
  end(): void {
    if (this.isEnding || this.isClosed) return;
    if (!this.#isDismissed) this.#owner.counts.goaways += 1;
    this.#isDismissed = true;
    this.isEnding = true;
    clearTimeout(this.#endTimer);
    this.#owner.outbox.goaway(this.#owner.lastStreamId, errorCode.noError);
    this.endIfDone();
  }

  /** Ends the connection if it was told to, and nothing of it is open. */
  endIfDone(): void {
    const { streams, outbox } = this.#owner;
    if (this.isEnding && streams.size === 0 && outbox.isEmpty) this.#finish();
  }

  /** Whether a stream crossed our last GOAWAY: its client knows from that that nobody has taken it (section 6.8). */
  isCrossing(streamId: number): boolean {
    return this.isEnding && streamId > this.#owner.lastStreamId && streamId % 2 === 1;
  }

  /** Cuts the connection unless the client reads what is queued for it in `stallTimeoutMs`. */
  watchReading(): void {
    this.#readingTimer ??= setTimeout(() => this.destroy(), this.#owner.limits.stallTimeoutMs).unref();
  }

  /** The client has read all that was queued. */
  hasRead(): void {
    clearTimeout(this.#readingTimer);
    this.#readingTimer = undefined;
  }

  /** Section 5.4.1. */
  fail(fault: ConnectionFault): void {
    if (this.isClosed || this.#socket.destroyed) return;
    const { counts, outbox, lastStreamId } = this.#owner;
    counts.goaways += 1;
    outbox.goaway(lastStreamId, fault.code, fault.message);
    this.#finish();
  }

  destroy(): void {
    this.#socket.destroy();
    this.close();
  }

  /** The socket is closed, or might as well be. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.#handshakeTimer);
    clearTimeout(this.#endTimer);
    clearTimeout(this.#readingTimer);
    this.#owner.closed();
  }

  /**
   * The last word is said. What the client sends meanwhile is read and dropped: else the system would answer it with a
   * reset, which takes the GOAWAY away from a client that has not read it yet. One that does not close its side is cut.
   */
  #finish(): void {
    if (this.isClosed) return;
    this.#owner.outbox.flush(true);
    this.close();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), this.#owner.limits.goawayTimeoutMs).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }
}

/** What the PING between two GOAWAYs says. */
const roundTrip = Buffer.from('goaway!\n', 'latin1');
