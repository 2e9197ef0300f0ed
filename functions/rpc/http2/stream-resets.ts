import type { IncomingHttpHeaders } from 'node:http2';
import type { RpcLimits } from '../limits.ts';
import type { ConnectionCounts } from '../telemetry/connection-counts.ts';
import type { ConnectionEnd } from './connection-end.ts';
import type { FloodGuard } from './flood-guard.ts';
import { ConnectionFault, type ErrorCode, errorCode } from './frame.ts';
import type { Http2Stream } from './http2-stream.ts';
import type { Outbox } from './outbox.ts';

/** Streams that we have reset lately may still get frames: a client cancels so many at once at the most. */
const maxRemembered = 1_000;

/** What resets need of their connection. */
export interface ResettingConnection {
  readonly limits: RpcLimits;
  readonly counts: ConnectionCounts;
  readonly outbox: Outbox;
  readonly end: ConnectionEnd;
  readonly lastStreamId: number;
}

/** Resets of ours, and what still comes for streams that are over, or never were (RFC 9113 section 5.1). */
export class StreamResets {
  readonly #owner: ResettingConnection;
  readonly #guard: FloodGuard;
  /** Streams that we have reset lately: what was on its way for them means nothing. The last one is apart. */
  #lately: Set<number> | undefined;
  /** Its body mostly follows at once: then it costs the set nothing. Zero for none. */
  #last = 0;
  /** How many resets may still cross an answer, of the streams up to `#countedId`. */
  #mayCross = 0;
  #countedId = 0;

  constructor(owner: ResettingConnection, guard: FloodGuard) {
    this.#owner = owner;
    this.#guard = guard;
  }

  /** Ends a stream for a fault of the client. */
  refuse(stream: Http2Stream, code: ErrorCode): void {
    this.#guard.reset(stream.headers);
    stream.reset(code);
  }

  /** The same, of a stream that is not open. `headers`: of its request, if it has just come. */
  refuseUnopened(streamId: number, code: ErrorCode, headers?: IncomingHttpHeaders): void {
    this.#guard.reset(headers);
    this.#owner.counts.resetsSent += 1;
    this.#owner.outbox.resetStream(streamId, code);
    this.remember(streamId);
    this.#owner.outbox.checkAnswers();
  }

  /** What still comes for a stream, up to its last frame, is no fault of its client. */
  remember(streamId: number): void {
    const before = this.#last;
    this.#last = streamId;
    if (before === 0) return;
    this.#lately ??= new Set();
    this.#lately.add(before);
    if (this.#lately.size < maxRemembered) return;
    for (const oldest of this.#lately) return void this.#lately.delete(oldest);
  }

  /** The client ends a stream. Returns whether we have ended it before: then this costs the client nothing. */
  crosses(streamId: number): boolean {
    if (streamId !== this.#last) return this.#lately?.delete(streamId) ?? false;
    this.#last = 0;
    return true;
  }

  /**
   * The client ends a stream that is answered. Both were on their way (section 5.1), or it wants to send no more: the
   * call has cost what others cost, so nobody is charged. But each stream ends once, and no more can be open to the
   * client than it may have. What is beyond that is a frame for nothing.
   */
  answered(): void {
    const { lastStreamId, limits } = this.#owner;
    const opened = (lastStreamId - this.#countedId) / 2;
    this.#mayCross = Math.min(limits.maxConcurrentStreams, this.#mayCross + opened);
    this.#countedId = lastStreamId;
    if (this.#mayCross < 1) return this.#guard.glitch();
    this.#mayCross -= 1;
  }

  /**
   * A frame has come of a stream whose request is over, or that never was.
   *
   * @param stream `undefined` if it is not open
   * @param isLast it is the last DATA of the stream: no more is expected
   * @throws ConnectionFault where that is no fault of a stream alone
   */
  late(streamId: number, stream: Http2Stream | undefined, isHeaders = false, isLast = false): void {
    const { end, lastStreamId } = this.#owner;
    if (end.isCrossing(streamId)) return;
    if (streamId % 2 === 0 || streamId > lastStreamId) {
      throw new ConnectionFault(errorCode.protocolError, 'a frame is of a stream that never was');
    }
    if (stream !== undefined) return this.refuse(stream, errorCode.streamClosed);
    // It was on its way when we reset the stream. Its block was decoded all the same.
    if (isLast ? this.crosses(streamId) : streamId === this.#last || this.#lately?.has(streamId)) {
      return isHeaders ? this.#guard.glitch() : undefined;
    }
    if (isHeaders)
      throw new ConnectionFault(errorCode.streamClosed, 'a request begins on a stream that is over');
    this.refuseUnopened(streamId, errorCode.streamClosed);
  }
}
