import type { Socket } from 'node:net';
import type { RpcLimits } from '../limits.ts';
import type { ConnectionCounts } from '../telemetry/connection-counts.ts';

/** The first bytes of an HTTP/2 client that knows what it talks to (RFC 9113 section 3.4). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Tells the two versions of HTTP apart, in plain text, by the first bytes that a client sends. */
export class Sniffer {
  readonly #limits: RpcLimits;
  readonly #counts: ConnectionCounts;
  /** One for each connection that has not said yet what it speaks: gives it less time. */
  readonly #hurry = new Set<() => void>();

  constructor(limits: RpcLimits, counts: ConnectionCounts) {
    this.#limits = limits;
    this.#counts = counts;
  }

  /** Waits for the first bytes, puts them back, and says which version they are. */
  take(socket: Socket, speaks: (isHttp2: boolean) => void): void {
    let head: Buffer = Buffer.alloc(0);
    const { handshakeTimeoutMs, goawayTimeoutMs } = this.#limits;
    const giveUp = () => {
      this.#counts.refused.handshake_timeout += 1;
      socket.destroy();
    };
    let timer = setTimeout(giveUp, handshakeTimeoutMs);
    const hurry = () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, goawayTimeoutMs);
    };
    this.#hurry.add(hurry);
    const stop = () => {
      clearTimeout(timer);
      this.#hurry.delete(hurry);
      socket.off('data', onData);
      socket.off('close', stop);
    };
    const onData = (chunk: Buffer) => {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const isHttp2 = head.subarray(0, preface.length).equals(preface.subarray(0, head.length));
      if (isHttp2 && head.length < preface.length) return;
      stop();
      // Back to where a fresh socket is, so that the server finds what we have read.
      socket.pause();
      socket.unshift(head);
      speaks(isHttp2);
      if (!isHttp2) socket.resume();
    };
    socket.on('data', onData);
    socket.on('close', stop);
  }

  /** Connections that have said nothing yet get `goawayTimeoutMs`: the port is closing. */
  hurry(): void {
    for (const hurry of this.#hurry) hurry();
  }
}
