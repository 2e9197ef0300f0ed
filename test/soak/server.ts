// The server that a soak wears: a process of its own, that tells when asked what is in use.
import { queryObjects } from 'node:v8';
import { Http2Connection } from '../../functions/rpc/http2/http2-connection.ts';
import { Http2Stream } from '../../functions/rpc/http2/http2-stream.ts';
import { RpcServer } from '../../functions/rpc/server.ts';
import { echoService } from '../rpc/echo-service.ts';
import { Echo } from '../rpc/gen/echo_pb.js';
import { heapBytes } from '../support/heap.ts';

/** What is in use. */
export interface InUse {
  readonly heapBytes: number;
  /** Objects that live, once all are collected that nobody needs. */
  readonly streams: number;
  readonly connections: number;
  readonly sockets: number;
  readonly timers: number;
  readonly heldBytes: number;
  readonly clients: number;
}

const server = new RpcServer({
  routes: (router) => router.service(Echo, echoService(new Map())),
  limits: { stallTimeoutMs: 1_000, maxConnectionsPerClient: 4_000, maxCallsPerClient: 4_000 },
});
const { port } = await server.listen({ host: '127.0.0.1', port: 0 });

function inUse(): InUse {
  const { heldBytes, clients } = server.usage;
  const resources = process.getActiveResourcesInfo();
  return {
    streams: queryObjects(Http2Stream, { format: 'count' }),
    connections: queryObjects(Http2Connection, { format: 'count' }),
    sockets: resources.filter((it) => it === 'TCPSocketWrap').length,
    timers: resources.filter((it) => it === 'Timeout').length,
    heldBytes,
    clients,
    heapBytes: heapBytes(),
  };
}

process.on('message', (message) => {
  if (message === 'use') process.send?.(inUse());
  if (message === 'end') server.close().then(() => process.disconnect());
});
process.send?.(port);
