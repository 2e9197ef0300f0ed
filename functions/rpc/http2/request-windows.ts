import type { RpcLimits } from '../limits.ts';
import type { Http2Stream } from './http2-stream.ts';
import type { Outbox } from './outbox.ts';
import { ReceiveWindow } from './receive-window.ts';
import { defaultWindowBytes } from './settings.ts';

/** What a client may still send: of each request, and of all together (RFC 9113 section 5.2). */
export class RequestWindows {
  readonly #limits: RpcLimits;
  readonly #outbox: Outbox;
  readonly #all: ReceiveWindow;
  /** Whether the client has acknowledged our settings. */
  #areSettingsKnown = false;
  #isClosed = false;

  constructor(limits: RpcLimits, outbox: Outbox) {
    this.#limits = limits;
    this.#outbox = outbox;
    this.#all = new ReceiveWindow(Math.max(limits.connectionWindowBytes, defaultWindowBytes));
  }

  /** Opens the connection's as far as it should be: it begins with the RFC's (section 6.9.2). */
  begin(): void {
    const more = this.#limits.connectionWindowBytes - defaultWindowBytes;
    if (more > 0) this.#outbox.windowUpdate(0, more);
  }

  /** The client knows our settings. */
  settingsAcknowledged(): void {
    this.#areSettingsKnown = true;
  }

  /** The window of a new request: the RFC's until its client knows ours (section 6.9.2). */
  ofStream(): ReceiveWindow {
    const { streamWindowBytes } = this.#limits;
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
    if (stream.isRemoteClosed) return;
    const opened = stream.receiveWindow.take(bytes);
    if (opened > 0) this.#outbox.windowUpdate(stream.id, opened);
  }

  /** Bytes have come that nobody will read. */
  dropped(bytes: number): void {
    if (bytes === 0 || this.#isClosed) return;
    const opened = this.#all.take(bytes);
    if (opened > 0) this.#outbox.windowUpdate(0, opened);
  }

  /** The connection is over. */
  close(): void {
    this.#isClosed = true;
  }
}
