import http from 'node:http';
import http2 from 'node:http2';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { type Client, createClient, createRouterTransport } from '@connectrpc/connect';
import { limits as defaults, type Limits } from '../../functions/limits.ts';
import type { NodeRequest, NodeResponse } from '../../functions/rpc/http/node-http.ts';
import { createUsersService } from '../../functions/users/service.ts';
import type { UserStore } from '../../functions/users/store.ts';
import { createUsersHandler } from '../../functions/web/users.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { listen } from '../support/listener.ts';
import { type RawExchange, type RawRequest, requestHttp1, requestHttp2 } from '../support/raw-request.ts';

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
  /** As they arrive; as long as it is not read, nothing is taken from the connection. */
  readonly chunks: AsyncIterable<Buffer>;
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
  const listener = await listen(
    version === '2' ? http2.createServer(onRequest) : http.createServer(onRequest),
  );
  // Fails if the page leaves a connection open that its client has closed.
  t.after(() => listener[Symbol.asyncDispose]());
  const start = version === '2' ? startHttp2 : startHttp1;
  return {
    async ask(path, { method = 'GET', body } = {}) {
      const { exchange, close } = start(listener.endpoint, { method, path });
      exchange.request.end(body);
      const received = await text(exchange.chunks());
      close();
      return { status: exchange.status, headers: exchange.headers, lines: linesOf(received) };
    },
    async open(path) {
      const { exchange, close } = start(listener.endpoint, { method: 'GET', path });
      exchange.request.end();
      await exchange.responded;
      return { chunks: exchange.chunks(), close };
    },
    send(path) {
      const { exchange, close } = start(listener.endpoint, { method: 'GET', path });
      exchange.request.end();
      return close;
    },
    released,
  };
}

interface Started {
  readonly exchange: RawExchange;
  /** Closes its connection. */
  readonly close: () => void;
}

function startHttp1(origin: string, request: RawRequest): Started {
  const exchange = requestHttp1(origin, request);
  return { exchange, close: () => exchange.cancel() };
}

function startHttp2(origin: string, request: RawRequest): Started {
  const session = http2.connect(origin);
  return { exchange: requestHttp2(session, request), close: () => session.destroy() };
}

function linesOf(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
