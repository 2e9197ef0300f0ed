import type { FloodGuard } from './flood-guard.ts';
import { ConnectionFault, errorCode, maxUint31 } from './frame.ts';
import type { Http2Stream } from './http2-stream.ts';
import type { Outbox } from './outbox.ts';
import { defaultWindowBytes } from './settings.ts';

/** Whose turn it is to send: streams that wait for a window or for room send a frame each. */
export class SendTurns {
  /** What the client still takes, of all responses together. */
  windowBytes = defaultWindowBytes;
  /** Frames of responses' bodies. */
  sentFrames = 0;
  /** Parts of responses that were sent whole. */
  sentParts = 0;
  /** Window updates that have opened little or nothing. */
  #idleUpdates = 0;
  readonly #outbox: Outbox;
  readonly #guard: FloodGuard;
  /** Streams with bytes that wait, in the order of their turns. */
  #blocked: Set<Http2Stream> | undefined;

  constructor(outbox: Outbox, guard: FloodGuard) {
    this.#outbox = outbox;
    this.#guard = guard;
  }

  /** A stream has bytes that wait. */
  waits(stream: Http2Stream): void {
    this.#blocked ??= new Set();
    this.#blocked.add(stream);
  }

  /** A stream is over. */
  forget(stream: Http2Stream): void {
    this.#blocked?.delete(stream);
  }

  /** The client takes more of all responses (RFC 9113 section 6.9.1). */
  open(bytes: number): void {
    this.windowBytes += bytes;
    if (this.windowBytes > maxUint31) {
      throw new ConnectionFault(errorCode.flowControlError, 'a window is too large');
    }
    if (!this.sendAll()) this.idleUpdate();
  }

  /** The client takes more of one response. */
  opened(stream: Http2Stream): void {
    if (this.#blocked?.has(stream)) this.#sendOne(stream, this.#blocked);
  }

  /**
   * A window was opened by little, or by nothing. Some clients tell of each message that they read, however small or
   * late; who lets a message through byte by byte attacks.
   */
  idleUpdate(): void {
    if (++this.#idleUpdates > 2 * this.sentParts) this.#guard.glitch();
  }

  /**
   * Streams take turns, a frame each, so that none holds up the others. Returns false if all that wait still do, though
   * they were looked at.
   */
  sendAll(): boolean {
    const blocked = this.#blocked;
    if (blocked === undefined || blocked.size === 0) return true;
    let hasMoved = false;
    for (let isMoving = true; isMoving; ) {
      isMoving = false;
      for (const stream of [...blocked]) {
        if (this.windowBytes <= 0 || this.#outbox.room === 0) return true;
        if (this.#sendOne(stream, blocked)) isMoving = true;
      }
      if (isMoving) hasMoved = true;
    }
    return hasMoved;
  }

  /** Sends a frame of a stream, which then stands at the end of the line. Returns whether there was one to send. */
  #sendOne(stream: Http2Stream, blocked: Set<Http2Stream>): boolean {
    if (!stream.sendQueued(true)) return false;
    blocked.delete(stream);
    if (stream.hasQueued) blocked.add(stream);
    else stream.drained();
    return true;
  }
}
