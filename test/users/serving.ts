import type { TestContext } from 'node:test';
import { type Client, createClient, createContextValues, createHandlerContext } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { limits as defaults, type Limits } from '../../functions/limits.ts';
import { RpcServer } from '../../functions/rpc/server.ts';
import { createUsersService, type UsersServiceOptions } from '../../functions/users/service.ts';
import type { UserStore } from '../../functions/users/store.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { Users } from '../../proto/gen/users_pb.js';

/** The defaults with some of them changed. */
export function limitsWith(changed: Partial<Limits> = {}): Limits {
  return { ...defaults, ...changed };
}

/** The Users service alone, without a server. */
export function usersService(options: Partial<UsersServiceOptions> = {}) {
  return createUsersService({ store: memoryStore(), limits: limitsWith(), ...options });
}

/** A server of the Users service on a free port, and a gRPC client of it. Both end with the test. */
export async function serveUsers(
  t: TestContext,
  options: Partial<UsersServiceOptions> = {},
): Promise<Client<typeof Users>> {
  const { limits = limitsWith() } = options;
  const service = usersService({ ...options, limits });
  const server = new RpcServer({ routes: (router) => router.service(Users, service), limits });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  t.after(async () => {
    sessionManager.abort();
    await server.close();
  });
  return createClient(Users, createGrpcTransport({ baseUrl, sessionManager }));
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
