import http from 'node:http';
import http2 from 'node:http2';
import type { ConnectRouter, ServiceImpl } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import { Users } from '../../proto/gen/users_pb.js';
import { type Listener, listen } from '../support/listener.ts';

/** A server of the tests: stock connect-node, so that the client is tested against code that is not ours. */
export type TestServer = Listener;

const echo: Partial<ServiceImpl<typeof Users>> = {
  createUser: (request) => ({ user: { username: request.username, userId: 1 } }),
  async *getUsers(request) {
    for (const user of request.user) yield { result: { case: 'user', value: user } };
  },
};

/** What a test wants of its server. */
interface Options {
  readonly http1?: boolean;
  readonly tls?: http2.SecureServerOptions;
  readonly routes?: (router: ConnectRouter) => void;
  /** Is told the `:authority` or `host` of each call. */
  readonly onCall?: (authority: string | undefined) => void;
}

/** Starts a Users service with the given methods; the others echo. Disposal fails if a client left a connection. */
export async function startServer(
  methods: Partial<ServiceImpl<typeof Users>> = {},
  options: Options = {},
): Promise<TestServer> {
  const handler = connectNodeAdapter({
    routes(router) {
      router.service(Users, { ...echo, ...methods });
      router.service(Health, { check: () => ({ status: Status.SERVING }) });
      options.routes?.(router);
    },
  });
  const onRequest: typeof handler = (request, response) => {
    options.onCall?.(request.headers[':authority']?.toString() ?? request.headers.host);
    handler(request, response);
  };
  if (options.http1) return listen(http.createServer(onRequest));
  if (options.tls) return listen(http2.createSecureServer({ ...options.tls, allowHTTP1: true }, onRequest));
  return listen(http2.createServer(onRequest));
}

/** Starts a server that keeps the headers of its calls. */
export async function startListener() {
  const seen: Headers[] = [];
  const server = await startServer({
    createUser(_, { requestHeader }) {
      seen.push(requestHeader);
      return {};
    },
  });
  return { server, seen };
}

/** Starts an HTTP/2 server that answers as the test says, frame by frame. */
export function startRawServer(
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, call: number) => void,
): Promise<TestServer> {
  const server = http2.createServer();
  let calls = 0;
  server.on('stream', (stream, headers) => {
    // What a client does to a stream is the subject of these tests.
    stream.on('error', () => {});
    onStream(stream, headers, ++calls);
  });
  return listen(server);
}

/** Answers a unary gRPC call with an empty message and OK. */
export function answer(stream: http2.ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.alloc(5));
}
