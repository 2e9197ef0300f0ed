import http2 from 'node:http2';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { limits } from '../../../functions/limits.ts';
import type { Way } from '../../../functions/rpc/index.ts';
import { Metrics } from '../../../functions/rpc/index.ts';
import { examples } from '../../../functions/users/examples.ts';
import { scopesWhere } from '../../../functions/users/scopes.ts';
import { createUsersService } from '../../../functions/users/service.ts';
import { memoryStore } from '../../../functions/users/stores/memory.ts';
import { Console } from '../../../functions/web/console/console.ts';
import type { LiveAnswer } from '../../../functions/web/console/contract.ts';
import type { PageFiles } from '../../../functions/web/console/page-files.ts';
import { comments } from '../../../proto/gen/comments.js';
import { Users } from '../../../proto/gen/users_pb.js';
import { requestHttp1, requestHttp2 } from '../../support/raw-request.ts';
import { type ServingOptions, serve } from '../../support/server.ts';

/** A page that is not the console's: what it holds is nothing to the server. */
export const page: PageFiles = {
  html: '<!doctype html><title>Page</title>',
  css: 'body{color:red}'.repeat(1000),
  js: 'document.title="x";'.repeat(1000),
};

/** A caller for each bearer that is the name of a scope; `*` has all. */
const byScope: Way = {
  identify({ headers }) {
    const scope = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (scope === undefined) return undefined;
    return { kind: 'key', name: scope, id: `key:${scope}`, scopes: new Set([scope]) };
  },
};

/** What a test got. */
export interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Uncompressed. */
  readonly text: string;
}

/**
 * Serves Users with the console. `isClosed`: only callers who are known may call, by the bearer that is the name of
 * their scope.
 */
export async function serveConsole(
  t: TestContext,
  options: Partial<ServingOptions> & {
    readonly isClosed?: boolean;
    readonly load?: () => Promise<PageFiles>;
  } = {},
) {
  const { isClosed = false, load = async () => page, ...rest } = options;
  const metrics = new Metrics();
  const console = new Console({
    ...{ title: 'Users service', version: '1.2.3', comments, examples },
    ...{ storeKind: 'memory', metrics, load },
  });
  const users = createUsersService({ store: memoryStore(), limits });
  const serving = await serve(t, {
    routes: (router) => router.service(Users, users),
    auth: { scopes: scopesWhere(!isClosed), ways: isClosed ? [byScope] : [], isReflectionOpen: !isClosed },
    telemetry: {
      metrics,
      tracing: { followsParents: true, ratio: 0 },
      observers: console.observers,
    },
    http: (_local, facts) => console.resources(facts),
    ...rest,
  });
  t.after(() => console.close());

  async function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
    const exchange = requestHttp1(serving.url, {
      method,
      path,
      headers: { connection: 'close', ...headers },
    });
    exchange.request.end();
    return read(exchange);
  }

  return {
    serving,
    get,
    /** The same over HTTP/2. */
    async getHttp2(path: string, headers: Record<string, string> = {}): Promise<Got> {
      const session = http2.connect(serving.url);
      const exchange = requestHttp2(session, { method: 'GET', path, headers });
      exchange.request.end();
      const got = await read(exchange);
      session.destroy();
      return got;
    },
    async live(after = 0, headers: Record<string, string> = {}): Promise<LiveAnswer> {
      return JSON.parse((await get(`/console/live?after=${after}`, headers)).text);
    },
    async call(method: string, body: object, headers: Record<string, string> = {}): Promise<number> {
      const response = await fetch(`${serving.url}/Users/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', connection: 'close', ...headers },
        body: JSON.stringify(body),
      });
      await response.arrayBuffer();
      return response.status;
    },
  };
}

async function read(exchange: ReturnType<typeof requestHttp1>): Promise<Got> {
  const chunks: Buffer[] = [];
  for await (const chunk of exchange.chunks()) chunks.push(chunk);
  const { status, headers } = exchange;
  const body = Buffer.concat(chunks);
  const isGzip = headers['content-encoding'] === 'gzip' && body.length > 0;
  return { status, headers, text: String(isGzip ? gunzipSync(body) : body) };
}
