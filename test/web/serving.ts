import http2 from 'node:http2';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { createClient, type ServiceImpl } from '@connectrpc/connect';
import { limits as defaults, type Limits } from '../../functions/limits.ts';
import { createUsersService } from '../../functions/users/service.ts';
import type { UserStore } from '../../functions/users/store.ts';
import { usersResource } from '../../functions/web/users.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { type RawExchange, type RawRequest, requestHttp1, requestHttp2 } from '../support/raw-request.ts';
import { serve } from '../support/server.ts';

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
  /** Resolves when the first request has ended, with its code in the log. */
  readonly ended: () => Promise<string>;
}

/** Serves the page with one version of HTTP on a free port. Everything is closed with the test. */
export async function servePage(
  t: TestContext,
  version: '1.1' | '2',
  store: UserStore,
  changed: Partial<Limits> = {},
): Promise<Page> {
  const limits = { ...defaults, ...changed };
  return serveService(t, version, createUsersService({ store, limits }), changed);
}

/** Serves the page over a service, as `servePage` does over a store. */
export async function serveService(
  t: TestContext,
  version: '1.1' | '2',
  users: Partial<ServiceImpl<typeof Users>>,
  limits: Partial<Limits> = {},
): Promise<Page> {
  const serving = await serve(t, {
    routes: (router) => router.service(Users, users),
    limits,
    http: (local) => [usersResource(createClient(Users, local))],
  });
  const start = version === '2' ? startHttp2 : startHttp1;
  return {
    async ask(path, { method = 'GET', body } = {}) {
      const { exchange, close } = start(serving.url, { method, path });
      exchange.request.end(body);
      const received = await text(exchange.chunks());
      close();
      return {
        status: exchange.status,
        headers: exchange.headers,
        lines: exchange.headers['content-type'] === 'application/x-ndjson' ? linesOf(received) : [],
      };
    },
    async open(path) {
      const { exchange, close } = start(serving.url, { method: 'GET', path });
      exchange.request.end();
      await exchange.responded;
      return { chunks: exchange.chunks(), close };
    },
    send(path) {
      const { exchange, close } = start(serving.url, { method: 'GET', path });
      exchange.request.end();
      return close;
    },
    ended: () => serving.line(({ protocol }) => protocol === 'http').then(({ code }) => String(code)),
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
