import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type Client, createClient, createRouterTransport } from '@connectrpc/connect';
import { limits as defaults, type Limits } from '../../functions/limits.ts';
import type { NodeRequest, NodeResponse } from '../../functions/rpc/http/node-http.ts';
import { createUsersService } from '../../functions/users/service.ts';
import type { UserStore } from '../../functions/users/store.ts';
import { createUsersHandler } from '../../functions/web/users.ts';
import { Users } from '../../proto/gen/users_pb.js';

/** What a test got as the answer to a request. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Each parsed on its own. */
  readonly lines: readonly unknown[];
}

/** Asks the server of the page for a path. */
export type Ask = (path: string, init?: { method?: string; body?: string }) => Promise<Answer>;

/** A request whose answer the test reads itself. */
export interface Opened {
  /** Text as it arrives; as long as it is not read, nothing is taken from the connection. */
  readonly chunks: AsyncIterable<string>;
  readonly close: () => void;
}

/** A server with the page over the store, and what a test needs to ask it. */
export interface Page {
  readonly ask: Ask;
  /** Resolves with the head of the answer. */
  readonly open: (path: string) => Promise<Opened>;
  /** Sends a request and does not wait; returns what ends it. */
  readonly send: (path: string) => () => void;
  /** Resolves when the server has let go of the first request. */
  readonly released: Promise<void>;
}

/** Serves the page with one version of HTTP on a free port. Everything is closed with the test. */
export async function servePage(
  t: TestContext,
  version: '1.1' | '2',
  store: UserStore,
  changed: Partial<Limits> = {},
): Promise<Page> {
  const limits = { ...defaults, ...changed };
  const service = createUsersService({ store, limits });
  const transport = createRouterTransport((router) => router.service(Users, service));
  return serveClient(t, version, createClient(Users, transport), limits);
}

/** Serves the page over a client, as `servePage` does over a store. */
export async function serveClient(
  t: TestContext,
  version: '1.1' | '2',
  client: Client<typeof Users>,
  limits: Limits,
): Promise<Page> {
  const handler = createUsersHandler(client, limits);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const onRequest = (req: NodeRequest, res: NodeResponse) => {
    res.once('close', release);
    if (handler(req, res)) return;
    res.statusCode = 404;
    res.end();
  };
  const server = version === '2' ? http2.createServer(onRequest) : http.createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // not a pipe: it listens on a port
  const origin = `http://127.0.0.1:${port}`;
  // Fails the test with a timeout if the page leaves a connection open that its client has closed.
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const start = (path: string) => (version === '2' ? startHttp2 : startHttp1)(origin, path);
  return {
    ask: version === '2' ? askHttp2(origin) : askHttp1(origin),
    open: (path) => start(path).opened,
    send: (path) => start(path).close,
    released,
  };
}

interface Started {
  readonly opened: Promise<Opened>;
  readonly close: () => void;
}

function startHttp1(origin: string, path: string): Started {
  const request = http.get(`${origin}${path}`, { agent: false });
  const close = () => void request.destroy();
  const opened = new Promise<Opened>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => resolve({ chunks: response.setEncoding('utf8'), close }));
  });
  opened.catch(() => {}); // a request that is cut before its answer, as some tests want it
  return { opened, close };
}

function startHttp2(origin: string, path: string): Started {
  const session = http2.connect(origin);
  const stream = session.request({ ':path': path });
  const close = () => void session.destroy();
  const opened = new Promise<Opened>((resolve, reject) => {
    for (const emitter of [session, stream]) emitter.once('error', reject);
    stream.once('response', () => resolve({ chunks: stream.setEncoding('utf8'), close }));
  });
  opened.catch(() => {}); // as above
  return { opened, close };
}

function askHttp1(origin: string): Ask {
  return async (path, init) => {
    const response = await fetch(`${origin}${path}`, { ...init, headers: { connection: 'close' } });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      lines: linesOf(await response.text()),
    };
  };
}

function askHttp2(origin: string): Ask {
  return async (path, init) => {
    const session = http2.connect(origin);
    const stream = session.request({ ':path': path, ':method': init?.method ?? 'GET' });
    stream.setEncoding('utf8');
    stream.end(init?.body);
    const [headers] = await once(stream, 'response');
    let text = '';
    for await (const chunk of stream) text += chunk;
    session.close();
    return { status: Number(headers[':status']), headers, lines: linesOf(text) };
  };
}

function linesOf(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
