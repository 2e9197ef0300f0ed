import type { Socket } from 'node:net';
import type { Connection } from '../call/connection.ts';
import type { MemoryBudget } from '../call/memory-budget.ts';
import type { RpcLimits } from '../limits.ts';
import type { ConnectionCounts } from '../telemetry/connection-counts.ts';
import type { Http2Engine, Shedder } from './engine.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Http2Stream } from './http2-stream.ts';

/** Speaks HTTP/2 on the connections that it gets. */
export class Http2Server implements Http2Engine {
  readonly #onExchange: (exchange: Http2Stream) => void;
  readonly #limits: RpcLimits;
  readonly #memory: MemoryBudget;
  readonly #counts: ConnectionCounts;
  readonly #shedder: Shedder | undefined;
  readonly #open = new Set<Http2Connection>();
  #sweep: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(
    onExchange: (exchange: Http2Stream) => void,
    limits: RpcLimits,
    memory: MemoryBudget,
    counts: ConnectionCounts,
    shedder?: Shedder,
  ) {
    this.#onExchange = onExchange;
    this.#limits = limits;
    this.#memory = memory;
    this.#counts = counts;
    this.#shedder = shedder;
  }

  /** Takes over a connection. */
  take(socket: Socket, connection: Connection): void {
    const open = new Http2Connection({
      socket,
      connection,
      limits: this.#limits,
      memory: this.#memory,
      counts: this.#counts,
      shedder: this.#shedder,
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
    }, this.#limits.idleTimeoutMs).unref();
  }

  /** Ends all connections by GOAWAY once their calls are done, also those that are still to come. */
  close(): void {
    this.#isClosing = true;
    clearInterval(this.#sweep);
    for (const open of this.#open) open.end.dismiss();
  }

  /** As grpc-go's MaxConnectionAge: by chance a little sooner or later, or all clients would come anew at once. */
  #endWithAge(open: Http2Connection, connection: Connection): () => void {
    const { maxConnectionAgeMs, connectionAgeGraceMs } = this.#limits;
    if (maxConnectionAgeMs === 0) return () => {};
    const end = () => {
      open.end.dismiss();
      timer = setTimeout(() => connection.destroy(), connectionAgeGraceMs).unref();
    };
    let timer = setTimeout(end, maxConnectionAgeMs * (0.9 + 0.2 * Math.random())).unref();
    return () => clearTimeout(timer);
  }
}
