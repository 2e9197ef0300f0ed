import type { ConnectError } from '@connectrpc/connect';
import { stalled, toConnectError } from '../errors.ts';
import type { Exchange, Receiver } from '../http/exchange.ts';
import { Call, type CallStart } from './call.ts';
import type { HttpFacts } from './call-record.ts';
import type { Timed } from './deadline-wheel.ts';
import type { CallPolicy } from './policy.ts';

/**
 * What an open call takes with its stream, measured with Node 24: half-open ones cost their client some 15 bytes each.
 */
const openCallBytes = 4 * 1024;

/** A call that comes over the network. It waits for a client that reads slowly, but not for one that has stopped. */
export abstract class ExchangeCall extends Call implements Receiver {
  protected readonly exchange: Exchange;
  /** Made when the client first makes us wait; most never do. */
  #stall: { readonly timed: Timed; readonly slot: Set<Timed> } | undefined;
  #queuedBytes = 0;
  /** What follows when the client has read what was sent before it. */
  #rest: Uint8Array | undefined;

  constructor(start: Omit<CallStart, 'headers' | 'connection'>, exchange: Exchange, policy: CallPolicy) {
    const { headers, connection } = exchange;
    super({ ...start, headers, connection }, policy);
    this.exchange = exchange;
  }

  get http(): HttpFacts {
    const { method, sentStatus } = this.exchange;
    return { method, status: sentStatus === undefined ? undefined : Number(sentStatus) };
  }

  get windowBytes(): number | undefined {
    return this.exchange.windowBytes;
  }

  protected override get ownBytes(): number {
    return openCallBytes + this.exchange.headerBytes;
  }

  abstract received(chunk: Buffer): void;
  abstract receivedAll(): void;

  broken(error: ConnectError): void {
    this.fail(error);
  }

  drained(): void {
    this.#endStall();
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined && !this.#sendPortions(rest)) return this.#beginStall();
    this.release(this.#queuedBytes);
    this.#queuedBytes = 0;
    this.roomAgain();
  }

  closed(): void {
    this.#endStall();
    this.gone();
    this.roomAgain();
  }

  pause(): void {
    this.exchange.pause();
  }

  resume(): void {
    this.exchange.resume();
  }

  /**
   * Sends bytes of the response. False: wait for `roomAgain` before the next. If there is no memory for bytes that must
   * wait, the call ends with MEMORY_EXHAUSTED and is dropped: a client that does not read can't be told.
   */
  protected sendOrWait(bytes: Uint8Array): boolean {
    if (this.#sendPortions(bytes)) return true;
    try {
      this.hold(bytes.length);
    } catch (error) {
      this.drop(toConnectError(error, undefined));
      return true;
    }
    this.#wait(bytes.length);
    return false;
  }

  /** As `sendOrWait`, for bytes that are held already. */
  protected sendHeld(bytes: Uint8Array): boolean {
    if (this.#sendPortions(bytes)) {
      this.release(bytes.length);
      return true;
    }
    this.#wait(bytes.length);
    return false;
  }

  /** What is sent at once of what is much larger: to see whether the client reads on. */
  protected get portionBytes(): number {
    // Three bytes each are whole groups of base64: none but the last is padded.
    return Math.max(3, this.policy.limits.maxQueuedBytes - (this.policy.limits.maxQueuedBytes % 3));
  }

  /** Whether bytes are so many that they are sent in portions. */
  protected isMuch(bytes: Uint8Array): boolean {
    return bytes.length > 2 * this.portionBytes;
  }

  protected override fail(thrown: unknown): void {
    // A message that has begun is sent to its end, or what is said after it could not be told from it.
    if (!this.isOver && this.#rest !== undefined) this.exchange.send(this.#rest);
    this.#rest = undefined;
    super.fail(thrown);
  }

  /** There is room to send again, or the exchange is gone. */
  protected abstract roomAgain(): void;

  protected override cut(): void {
    this.exchange.cut();
  }

  /** True: there is room for more. */
  #sendPortions(bytes: Uint8Array): boolean {
    let rest = bytes;
    while (this.isMuch(rest)) {
      const isRoom = this.exchange.send(rest.subarray(0, this.portionBytes));
      rest = rest.subarray(this.portionBytes);
      if (isRoom) continue;
      this.#rest = rest;
      return false;
    }
    return this.exchange.send(rest);
  }

  #wait(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#beginStall();
  }

  #beginStall(): void {
    if (this.#stall !== undefined) return;
    const timed = { expire: () => this.drop(stalled()) };
    const slot = this.policy.wheel.add(timed, performance.now() + this.policy.limits.stallTimeoutMs);
    this.#stall = { timed, slot };
  }

  #endStall(): void {
    this.#stall?.slot.delete(this.#stall.timed);
    this.#stall = undefined;
  }
}
