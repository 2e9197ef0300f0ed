import type { Socket } from 'node:net';
import type { Connection } from '../call/connection.ts';
import type { EngineParts, Http2Engine } from './engine.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Http2Stream } from './http2-stream.ts';

/** Speaks HTTP/2 on the connections that it gets. */
export class Http2Server implements Http2Engine {
  readonly #onExchange: (exchange: Http2Stream) => void;
  readonly #parts: EngineParts;
  readonly #open = new Set<Http2Connection>();
  #sweep: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(onExchange: (exchange: Http2Stream) => void, parts: EngineParts) {
    this.#onExchange = onExchange;
    this.#parts = parts;
  }

  /** Takes over a connection. */
  take(socket: Socket, connection: Connection): void {
    const open = new Http2Connection({
      ...this.#parts,
      socket,
      connection,
      onStream: this.#onExchange,
      onClosed: () => {
        forgetAge();
        this.#open.delete(open);
      },
    });
    const forgetAge = this.#endWithAge(open, connection);
    this.#open.add(open);
    if (this.#isClosing) open.end.dismiss();
  }

  /** Call it once the port listens: from now on, connections without a new call for `idleTimeoutMs` end. */
  begin(): void {
    this.#sweep = setInterval(() => {
      for (const open of this.#open) {
        if (!open.isUsed) open.end.end();
        open.isUsed = false;
      }
    }, this.#parts.limits.idleTimeoutMs).unref();
  }

  /** Ends all connections by GOAWAY once their calls are done, also those that are still to come. */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#sweep);
    for (const open of this.#open) open.end.dismiss();
  }

  /** As grpc-go's MaxConnectionAge: by chance a little sooner or later, or all clients would come anew at once. */
  #endWithAge(open: Http2Connection, connection: Connection): () => void {
    const { maxConnectionAgeMs, connectionAgeGraceMs } = this.#parts.limits;
    if (maxConnectionAgeMs === 0) return () => {};
    const end = () => {
      open.end.dismiss();
      timer = setTimeout(() => connection.destroy(), connectionAgeGraceMs).unref();
    };
    let timer = setTimeout(end, maxConnectionAgeMs * (0.9 + 0.2 * Math.random())).unref();
    return () => clearTimeout(timer);
  }
}
