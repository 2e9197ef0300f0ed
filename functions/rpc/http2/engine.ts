import type { IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection } from '../call/connection.ts';
import type { MemoryBudget } from '../call/memory-budget.ts';
import type { Exchange } from '../http/exchange.ts';
import type { RpcLimits } from '../limits.ts';
import type { ConnectionCounts } from '../telemetry/connection-counts.ts';
import { Http2Server } from './http2-server.ts';

/** The engines that speak HTTP/2: our own, and that of Node, which is kept for a release. */
export const http2Engines = ['own', 'node'] as const;

/** The name of an engine. */
export type Http2EngineName = (typeof http2Engines)[number];

/** Speaks HTTP/2 on the connections that it gets. */
export interface Http2Engine {
  /** Takes over a connection. */
  take(socket: Socket, connection: Connection): void;
  /** Call it once the port listens: from now on, connections that are idle end. */
  begin(): void;
  /** Ends all connections by GOAWAY once their calls are done, also those that are still to come. */
  close(): void;
}

/** What can be known of a request before anything is made of it. */
export interface EarlyRequest {
  readonly method: string;
  readonly path: string;
  readonly contentType: string;
}

/** Refuses requests that are too many, at the least cost. */
export interface Shedder {
  /** Whether the next request is one too many. */
  readonly isDue: boolean;
  /**
   * The headers that answer a request for which `isDue` holds, names and values in turn: the same list for the same
   * answer. `undefined`: it takes its way.
   */
  refuse(request: EarlyRequest): readonly string[] | undefined;
}

/** Charges resets to clients where many of them share a connection. */
export interface ResetCharges {
  /**
   * Charges the client of a request whose stream was reset: by the client, or by us for its fault.
   *
   * @param headers of the request, as far as they are known
   */
  charge(headers: IncomingHttpHeaders, connection: Connection): void;
}

/** What connections of an engine have in common. */
export interface EngineParts {
  readonly limits: RpcLimits;
  readonly memory: MemoryBudget;
  readonly counts: ConnectionCounts;
  /** Refuses requests that are too many, before anything is made of them. */
  readonly shedder?: Shedder | undefined;
  /** Charges resets; `undefined`: a connection is a client. */
  readonly resets?: ResetCharges | undefined;
}

/** Makes an engine. Node's is loaded only by those who choose it. */
export async function openHttp2(
  name: Http2EngineName,
  onExchange: (exchange: Exchange) => void,
  parts: EngineParts,
): Promise<Http2Engine> {
  if (name === 'node') {
    const { NodeHttp2Server } = await import('./node/http2-server.ts');
    return new NodeHttp2Server(onExchange, parts);
  }
  return new Http2Server(onExchange, parts);
}
