import type { ConnectError } from '@connectrpc/connect';
import { stalled, toConnectError } from '../errors.ts';
import type { Exchange, Receiver } from '../http/exchange.ts';
import { Call, type CallStart } from './call.ts';
import type { Timed } from './deadline-wheel.ts';
import type { CallPolicy } from './policy.ts';

/** What an open call takes with its stream, measured with Node 24: half-open ones cost their client some 15 bytes each. */
const openCallBytes = 4 * 1024;

/** A call that comes over the network. It waits for a client that reads slowly, but not for one that has stopped. */
export abstract class ExchangeCall extends Call implements Receiver {
  protected readonly exchange: Exchange;
  /** Made when the client first makes us wait; most never do. */
  #stall: { readonly timed: Timed; readonly slot: Set<Timed> } | undefined;
  #queuedBytes = 0;

  constructor(start: Omit<CallStart, 'headers' | 'connection'>, exchange: Exchange, policy: CallPolicy) {
    const { headers, connection } = exchange;
    super({ ...start, headers, connection }, policy);
    this.exchange = exchange;
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
    this.release(this.#queuedBytes);
    this.#queuedBytes = 0;
    this.#endStall();
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
    if (this.exchange.send(bytes)) return true;
    try {
      this.hold(bytes.length);
    } catch (error) {
      this.drop(toConnectError(error, undefined));
      return true;
    }
    this.#queuedBytes += bytes.length;
    if (this.#stall === undefined) {
      const timed = { expire: () => this.drop(stalled) };
      const slot = this.policy.wheel.add(timed, performance.now() + this.policy.limits.stallTimeoutMs);
      this.#stall = { timed, slot };
    }
    return false;
  }

  /** There is room to send again, or the exchange is gone. */
  protected abstract roomAgain(): void;

  protected override cut(): void {
    this.exchange.cut();
  }

  #endStall(): void {
    this.#stall?.slot.delete(this.#stall.timed);
    this.#stall = undefined;
  }
}
