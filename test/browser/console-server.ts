import { hash } from 'node:crypto';
import { limits } from '../../functions/limits.ts';
import { apiKeyWay, Metrics, RpcServer, type RpcServerOptions } from '../../functions/rpc/index.ts';
import { examples } from '../../functions/users/examples.ts';
import { addSamples } from '../../functions/users/samples.ts';
import { scopes } from '../../functions/users/scopes.ts';
import { createUsersService } from '../../functions/users/service.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { Console } from '../../functions/web/console/console.ts';
import { comments } from '../../proto/gen/comments.js';
import { Users } from '../../proto/gen/users_pb.js';
import { toAllKnown } from '../support/callers.ts';
import { Script, Tried, triedService } from './tried-service.ts';

/** A server with the console, the Users service and `Tried`. Disposal ends it. */
export interface ConsoleServer extends AsyncDisposable {
  readonly url: string;
  /** What `Words` of `Tried` sends. */
  readonly script: Script;
}

/** Who may call, by their keys; `undefined` lets everybody call everything. */
export type Keys = Readonly<Record<string, readonly string[]>>;

/** Serves on a free port of 127.0.0.1, with the sample users in memory. */
export async function serveConsole(keys?: Keys): Promise<ConsoleServer> {
  const script = new Script();
  const users = createUsersService({ store: memoryStore(), limits });
  await addSamples(users);
  const metrics = new Metrics();
  const page = new Console({
    title: 'Users service',
    version: '1.0.0',
    comments,
    examples,
    storeKind: 'memory',
    metrics,
  });
  const server = new RpcServer({
    routes: (router) => router.service(Users, users).service(Tried, triedService(script)),
    ...(keys === undefined ? {} : { auth: authOf(keys) }),
    limits: { ...limits, drainTimeoutMs: 100 },
    telemetry: {
      metrics,
      tracing: { followsParents: true, followsDecisions: false, ratio: 0 },
      observers: page.observers,
    },
    http: (_local, facts) => page.resources(facts),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${port}`,
    script,
    async [Symbol.asyncDispose]() {
      await server.close();
      page.close();
    },
  };
}

function authOf(keys: Keys): RpcServerOptions['auth'] {
  const known = Object.entries(keys).map(([key, may]) => ({
    name: `caller-${may.length}`,
    scopes: may,
    sha256: hash('sha256', key, 'buffer'),
  }));
  const { '/users/': _page, '/users': _alias, ...own } = scopes;
  return { scopes: { ...own, ...toAllKnown(Tried) }, ways: [apiKeyWay(known)] };
}
