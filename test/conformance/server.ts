// The server under test of the Connect conformance suite: its runner writes what to serve to stdin and
// reads the port from stdout. With --stock it is connect-node's server, to tell its failures from ours.
import { create, createRegistry } from '@bufbuild/protobuf';
import { RpcServer } from '../../functions/rpc/server.ts';
import { startStockServer } from '../support/stock-server.ts';
import { HTTPVersion } from './gen/connectrpc/conformance/v1/config_pb.js';
import {
  type ServerCompatRequest,
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from './gen/connectrpc/conformance/v1/server_compat_pb.js';
import { file_connectrpc_conformance_v1_service } from './gen/connectrpc/conformance/v1/service_pb.js';
import { conformanceRoutes, noDeadlineMs } from './service.ts';
import { readMessages, sizeDelimited } from './size-delimited.ts';

for await (const request of readMessages(ServerCompatRequestSchema, process.stdin)) {
  const port = process.argv.includes('--stock') ? await serveStock(request) : await serve(request);
  const response = create(ServerCompatResponseSchema, {
    host: '127.0.0.1',
    port,
    pemCert: request.serverCreds?.cert,
  });
  process.stdout.write(sizeDelimited(ServerCompatResponseSchema, response));
}

async function serve(request: ServerCompatRequest): Promise<number> {
  const { messageReceiveLimit } = request;
  // The suite compares the deadline that a method sees with the one it has sent, and its answers repeat requests.
  const limits = {
    defaultDeadlineMs: noDeadlineMs,
    maxDeadlineMs: noDeadlineMs,
    maxRequestBytes: messageReceiveLimit || 0xffff_ffff,
    maxMessageBytes: 0xffff_ffff,
  };
  const server = new RpcServer({
    routes: conformanceRoutes,
    limits,
    tls: tlsOf(request),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  return port;
}

async function serveStock(request: ServerCompatRequest): Promise<number> {
  const { port } = await startStockServer({
    routes: conformanceRoutes,
    http: request.httpVersion === HTTPVersion.HTTP_VERSION_1 ? 1 : 2,
    tls: tlsOf(request),
    jsonOptions: { registry: createRegistry(file_connectrpc_conformance_v1_service) },
    readMaxBytes: request.messageReceiveLimit || undefined,
  });
  return port;
}

function tlsOf({ useTls, serverCreds, clientTlsCert }: ServerCompatRequest) {
  if (!useTls || !serverCreds) return undefined;
  return {
    cert: Buffer.from(serverCreds.cert).toString(),
    key: Buffer.from(serverCreds.key).toString(),
    clientCa: clientTlsCert.length > 0 ? Buffer.from(clientTlsCert).toString() : undefined,
  };
}
