import type { IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { createContextValues } from '@connectrpc/connect';
import type { GateRequest } from '../../../functions/rpc/index.ts';

/** A request as a way to learn who calls gets it. */
export function requestOf(from: { headers?: IncomingHttpHeaders; tls?: TLSSocket }): GateRequest {
  return {
    protocol: 'grpc',
    path: '/test.echo.v1.Echo/Unary',
    method: undefined,
    headers: from.headers ?? {},
    requestId: 'a',
    peer: '127.0.0.1:1',
    client: '127.0.0.1',
    tls: from.tls,
    values: createContextValues(),
    identify: () => {},
  };
}
