// Proves that clients of gRPC show what works instead, where a proxy in front speaks HTTP/2 to them and HTTP/1.1 to the
// server, as CloudFront does before a Web Function: the status and the words of our answer reach the caller of grpc-js,
// of connect-node and of our own client, for a unary call and for a stream.
import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import { describe, it } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code, createClient, type Transport } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import grpc from '@grpc/grpc-js';
import { openClient } from '../../client/client.ts';
import { listen } from '../support/listener.ts';
import { serve } from './echo.ts';
import { Echo, EchoRequestSchema } from './gen/echo_pb.js';

const told = /^gRPC needs HTTP\/2 from end to end, .* use Connect or gRPC-Web here, or .* the container/;

/** A proxy. What is of one hop alone is taken out (RFC 9110 section 7.6.1). */
function proxyTo(port: number): http2.Http2Server {
  const server = http2.createServer();
  server.on('stream', (stream, sent) => {
    const kept = Object.entries(sent).filter(([name]) => !name.startsWith(':') && name !== 'te');
    const headers = Object.fromEntries(kept);
    const method = String(sent[':method']);
    const request = http.request({
      port,
      host: '127.0.0.1',
      path: String(sent[':path']),
      method,
      headers,
      agent: false,
    });
    stream.pipe(request);
    request.on('response', (answer) => {
      const { connection, 'transfer-encoding': _, 'keep-alive': __, ...rest } = answer.headers;
      // Only a length says at the headers that nothing follows them.
      const endStream = answer.headers['content-length'] === '0';
      stream.respond({ ':status': answer.statusCode, ...rest }, { endStream });
      if (endStream) answer.resume();
      else answer.pipe(stream);
    });
    for (const end of [stream, request]) end.on('error', () => {});
  });
  return server;
}

const message = toBinary(EchoRequestSchema, create(EchoRequestSchema));
const asItIs = (bytes: Buffer) => bytes;

/** Makes a unary call and one of a stream; each must be refused with our words. */
const clients: Readonly<Record<string, (endpoint: string) => Promise<void>>> = {
  async 'grpc-js'(endpoint) {
    const client = new grpc.Client(new URL(endpoint).host, grpc.credentials.createInsecure());
    try {
      const unary = Promise.withResolvers<grpc.ServiceError | null>();
      client.makeUnaryRequest(`/${Echo.typeName}/Unary`, asItIs, asItIs, Buffer.from(message), unary.resolve);
      const stream = Promise.withResolvers<grpc.ServiceError>();
      client
        .makeServerStreamRequest(`/${Echo.typeName}/ServerStream`, asItIs, asItIs, Buffer.from(message))
        .on('data', () => {})
        .on('error', stream.resolve);
      for (const error of await Promise.all([unary.promise, stream.promise])) {
        assert.equal(error?.code, grpc.status.UNIMPLEMENTED);
        assert.match(error.details, told);
      }
    } finally {
      client.close();
    }
  },
  async 'connect-node'(baseUrl) {
    const sessionManager = new Http2SessionManager(baseUrl);
    try {
      await refused(createGrpcTransport({ baseUrl, sessionManager }));
    } finally {
      sessionManager.abort();
    }
  },
  async 'our client'(endpoint) {
    using client = openClient(Echo, { endpoint });
    await refused(client.transport);
  },
};

async function refused(transport: Transport): Promise<void> {
  const client = createClient(Echo, transport);
  const isTold = { code: Code.Unimplemented, rawMessage: told };
  await assert.rejects(client.unary({}), isTold);
  await assert.rejects(async () => {
    for await (const _ of client.serverStream({})) assert.fail('it is refused');
  }, isTold);
}

describe('gRPC that reaches the server over HTTP/1.1 is told what works, and shows it:', () => {
  for (const [name, call] of Object.entries(clients)) {
    it(name, async (t) => {
      const serving = await serve(t, { unary: ({ text }) => ({ text }) });
      await using proxy = await listen(proxyTo(serving.port));
      await call(proxy.endpoint);
      await serving.line(({ protocol, error }) => protocol === 'grpc' && told.test(String(error)));
    });
  }
});
