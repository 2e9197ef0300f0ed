import http2 from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { withAttempts } from './attempts.ts';
import { baseImage } from './base-image.ts';
import type { Endpoint } from './endpoint.ts';
import type { CallKind, Calls } from './load.ts';
import type { Subject } from './subject.ts';

/** What is known of an app besides its template. */
export interface PlainOptions {
  readonly app: string;
  readonly stack: string;
  /** Unary methods, by their path, that take an empty message. None: its health is asked */
  readonly calls: readonly string[];
  readonly failing: Readonly<Record<string, string>>;
}

/** Any gRPC services: what can be called of them without knowing their messages. */
export function plainSubject({ app, stack, calls, failing }: PlainOptions): Subject {
  const paths = calls.length > 0 ? calls : ['/grpc.health.v1.Health/Check'];
  return {
    app,
    stack,
    context: { baseImage },
    failing,
    checks: [],
    environment: () => ({}),
    token: async () => undefined,
    calls: (endpoint, maxAttempts) => callsOf(paths, endpoint, maxAttempts),
  };
}

const deadlineMs = 10_000;

function callsOf(paths: readonly string[], endpoint: Endpoint, maxAttempts: number): Calls {
  const ways = paths.flatMap((path) => [
    { path, name: path, isFresh: false },
    { path, name: `${path}, a connection each`, isFresh: true },
  ]);
  const kinds = ways.map(({ path, name, isFresh }): CallKind => {
    let session: http2.ClientHttp2Session | undefined;
    const check = async () => {
      if (session === undefined || session.closed || session.destroyed || isFresh) {
        session?.close();
        session = http2.connect(endpoint.url, { ca: endpoint.ca, servername: endpoint.serverName });
        session.on('error', () => {}); // its streams tell of it
      }
      await ask(session, path);
    };
    return {
      name,
      call: () => withAttempts(check, maxAttempts),
      [Symbol.dispose]: () => session?.destroy(),
    };
  });
  return { kinds };
}

/** Calls a method with an empty message. @throws ConnectError when the status is not OK */
async function ask(session: http2.ClientHttp2Session, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
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
    else reject(new ConnectError(`grpc-status ${status}`, Number(status ?? Code.Unavailable)));
  });
  stream.resume();
  stream.end(Buffer.alloc(5));
  await promise;
}
