// Ours with nothing but the defaults that every call has: deadline, request id, limits. No log, no interceptor.
import { RpcServer } from '../../functions/rpc/server.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { createUser, getUsers } from './answers.ts';

const server = new RpcServer({
  routes: (router) =>
    router.service(Users, {
      createUser,
      async *getUsers(request) {
        for (const result of getUsers(request)) yield result;
      },
    }),
});
await server.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
