import type { Connection } from '../call/connection.ts';
import type { MemoryBudget } from '../call/memory-budget.ts';
import type { RpcLimits } from '../limits.ts';
import type { Http2Stream } from './http2-stream.ts';
import type { OpenStreams } from './open-streams.ts';
import type { Outbox } from './outbox.ts';
import { PathMeter } from './path-meter.ts';
import { ReceiveWindow } from './receive-window.ts';
import { defaultWindowBytes } from './settings.ts';

/** What windows need of their connection. */
export interface WindowedConnection {
  readonly limits: RpcLimits;
  readonly memory: MemoryBudget;
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly streams: OpenStreams;
}

/**
 * What a client may still send: of each request, and of all together (RFC 9113 section 5.2). Windows grow that a path
 * fills in a round trip: then the client waits for them, and not for the path.
 */
export class RequestWindows {
  readonly #owner: WindowedConnection;
  readonly #all: ReceiveWindow;
  /** Made for the first large request. */
  #meter: PathMeter | undefined;
  /** Whether the client has acknowledged our settings. */
  #areSettingsKnown = false;
  #isClosed = false;

  constructor(owner: WindowedConnection) {
    this.#owner = owner;
    this.#all = new ReceiveWindow(Math.max(owner.limits.connectionWindowBytes, defaultWindowBytes));
  }

  /** Opens the connection's as far as it should be: it begins with the RFC's (section 6.9.2). */
  begin(): void {
    const more = this.#all.bytes - defaultWindowBytes;
    if (more > 0) this.#owner.outbox.windowUpdate(0, more);
  }

  /** The client knows our settings. */
  settingsAcknowledged(): void {
    this.#areSettingsKnown = true;
  }

  /** The window of a new request: the RFC's until its client knows ours (section 6.9.2). */
  ofStream(): ReceiveWindow {
    const { streamWindowBytes } = this.#owner.limits;
    return new ReceiveWindow(
      this.#areSettingsKnown ? streamWindowBytes : Math.max(streamWindowBytes, defaultWindowBytes),
    );
  }

  /** Bytes have come. @throws ConnectionFault if they are more than may */
  received(bytes: number): void {
    this.#all.receive(bytes);
  }

  /** Bytes of a stream were read: the client may send as many more. */
  taken(stream: Http2Stream, bytes: number): void {
    this.dropped(bytes);
    if (stream.isRemoteClosed) return; // as small requests are: they cost nothing below
    const window = stream.receiveWindow;
    const opened = window.take(bytes);
    if (opened > 0) this.#owner.outbox.windowUpdate(stream.id, opened);
    // The smallest window lets as much through (section 6.9.2).
    if (window.takenOfTrip >= defaultWindowBytes) this.#measure();
  }

  /** Bytes have come that nobody will read. */
  dropped(bytes: number): void {
    if (bytes === 0 || this.#isClosed) return;
    const opened = this.#all.take(bytes);
    if (opened > 0) this.#owner.outbox.windowUpdate(0, opened);
  }

  /** The client has answered a PING. Returns whether it was one by which the path is measured. */
  pong(payload: Buffer): boolean {
    const meter = this.#meter;
    if (!meter?.isMeasuring || !payload.equals(pathPing)) return false;
    const isBest = meter.finish(this.#all.takenOfTrip);
    meter.pause(!(isBest && this.#growAll()));
    this.#beginTrip();
    return true;
  }

  /** The connection is over. */
  close(): void {
    this.#isClosed = true;
  }

  /** A large request comes. */
  #measure(): void {
    this.#meter ??= new PathMeter();
    if (!this.#meter.isDue(this.#all.takenOfTrip)) return;
    this.#beginTrip();
    this.#meter.begin();
    this.#owner.outbox.ping(pathPing, false);
  }

  #beginTrip(): void {
    this.#all.takenOfTrip = 0;
    for (const stream of this.#owner.streams.all()) stream.receiveWindow.takenOfTrip = 0;
  }

  /** Returns whether any window has grown. */
  #growAll(): boolean {
    const { maxStreamWindowBytes, maxConnectionWindowBytes } = this.#owner.limits;
    let hasGrown = this.#grow(this.#all, 0, maxConnectionWindowBytes);
    for (const stream of this.#owner.streams.all()) {
      // One whose call does not read is counted with the window that it had then.
      if (stream.isRemoteClosed || stream.inbox.isPaused) continue;
      if (this.#grow(stream.receiveWindow, stream.id, maxStreamWindowBytes)) hasGrown = true;
    }
    return hasGrown;
  }

  /** Grows a window that was nearly used up in a trip to twice what came through it, as grpc-go's `bdpEstimator`. */
  #grow(window: ReceiveWindow, streamId: number, maxBytes: number): boolean {
    const { memory, connection, outbox } = this.#owner;
    const bytes = Math.min(2 * window.takenOfTrip, maxBytes);
    if (3 * window.takenOfTrip < 2 * window.bytes || bytes <= window.bytes) return false;
    if (!memory.hasRoom(connection, connection.client, bytes)) return false;
    outbox.windowUpdate(streamId, window.grow(bytes));
    return true;
  }
}

/** What the PINGs say by which a path is measured. */
const pathPing = Buffer.from('how far?', 'latin1');
