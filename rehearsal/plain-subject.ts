import http2 from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { baseImage } from './base-image.ts';
import type { Endpoint } from './endpoint.ts';
import type { CallKind, Calls } from './load.ts';
import type { Subject } from './subject.ts';

/** Any gRPC service: what can be called of it without knowing its methods is grpc.health.v1.Health/Check. */
export function plainSubject(app: string, stack: string): Subject {
  return {
    app,
    stack,
    context: { baseImage },
    change: {},
    checks: [],
    environment: () => ({}),
    token: async () => undefined,
    calls,
  };
}

const deadlineMs = 10_000;

function calls(endpoint: Endpoint, maxAttempts: number): Calls {
  const kinds = ['gRPC health check', 'gRPC health check, a connection each'].map((name, index): CallKind => {
    let session: http2.ClientHttp2Session | undefined;
    const check = async () => {
      if (session === undefined || session.closed || session.destroyed || index === 1) {
        session?.close();
        session = http2.connect(endpoint.url, { ca: endpoint.ca, servername: endpoint.serverName });
        session.on('error', () => {}); // its streams tell of it
      }
      await ask(session);
    };
    return {
      name,
      async call() {
        for (let attempt = 1; ; attempt++) {
          try {
            return await check();
          } catch (error) {
            if (attempt >= maxAttempts) throw error;
          }
        }
      },
      [Symbol.dispose]: () => session?.destroy(),
    };
  });
  return { kinds, lost: async () => ({ acknowledged: 0, lost: [] }) };
}

/** Asks for the health of the whole server. @throws ConnectError when that is not said */
async function ask(session: http2.ClientHttp2Session): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let status: string | undefined;
  const read = (headers: http2.IncomingHttpHeaders) => {
    status = headers['grpc-status']?.toString() ?? status;
  };
  stream.setTimeout(deadlineMs, () => stream.close(http2.constants.NGHTTP2_CANCEL));
  stream.on('response', read);
  stream.on('trailers', read);
  stream.on('error', () => {}); // 'close' comes after it
  stream.on('close', () => {
    if (status === '0') resolve();
    else reject(new ConnectError(`grpc-status ${status}`, Code.Unavailable));
  });
  stream.resume();
  stream.end(Buffer.alloc(5));
  await promise;
}
