import type { TestContext } from 'node:test';
import { type Client, createContextValues, createHandlerContext } from '@connectrpc/connect';
import { limits as defaults, type Limits } from '../../functions/limits.ts';
import type { RpcServerOptions } from '../../functions/rpc/server-options.ts';
import { createUsersService, type UsersServiceOptions } from '../../functions/users/service.ts';
import type { UserStore } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { serve } from '../support/server.ts';
import { clientOf } from '../support/transports.ts';

/** The defaults with some of them changed. */
export function limitsWith(changed: Partial<Limits> = {}): Limits {
  return { ...defaults, ...changed };
}

/** The Users service alone, without a server. */
export function usersService(options: Partial<UsersServiceOptions> = {}) {
  return createUsersService({ store: memoryStore(), limits: limitsWith(), ...options });
}

/** A gRPC client of a server of the Users service, which `serve` starts and closes. */
export async function serveUsers(
  t: TestContext,
  options: Partial<UsersServiceOptions> = {},
  server: Partial<RpcServerOptions> = {},
): Promise<Client<typeof Users>> {
  const { limits = limitsWith() } = options;
  const service = usersService({ ...options, limits });
  const routes: RpcServerOptions['routes'] = (router) => router.service(Users, service);
  const serving = await serve(t, { routes, ...server, limits: { ...limits, goawayTimeoutMs: 0 } });
  return clientOf(Users, serving, { protocol: 'grpc', http: '2' });
}

/** The context of a call of a method, as handlers get it. */
export function contextOf(method: keyof typeof Users.method, signal?: AbortSignal) {
  return createHandlerContext({
    service: Users,
    method: Users.method[method],
    protocolName: 'grpc',
    requestMethod: 'POST',
    url: 'http://127.0.0.1/',
    requestSignal: signal,
    contextValues: createContextValues(),
  });
}

/** A store in memory with some of its functions replaced, for faults that a real one does not have on demand. */
export function storeWith(replaced: Partial<UserStore>): UserStore {
  return { ...memoryStore(), ...replaced };
}
