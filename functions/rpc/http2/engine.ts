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

/** Makes an engine. Node's is loaded only by those who choose it. */
export async function openHttp2(
  name: Http2EngineName,
  onExchange: (exchange: Exchange) => void,
  limits: RpcLimits,
  memory: MemoryBudget,
  counts: ConnectionCounts,
): Promise<Http2Engine> {
  if (name === 'node') {
    const { NodeHttp2Server } = await import('./node/http2-server.ts');
    return new NodeHttp2Server(onExchange, limits, counts);
  }
  return new Http2Server(onExchange, limits, memory, counts);
}
