// Ours with nothing but the defaults that every call has: deadline, request id, limits. No log, no interceptor. With
// TLS_CERT_FILE and TLS_KEY_FILE it speaks TLS.
import { readTls } from '../../functions/process/tls-files.ts';
import { RpcServer } from '../../functions/rpc/server.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { createUser, getUsers } from './answers.ts';

const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = process.env;
const server = new RpcServer({
  routes: (router) =>
    router.service(Users, {
      createUser,
      async *getUsers(request) {
        for (const result of getUsers(request)) yield result;
      },
    }),
  ...(certFile && keyFile && { tls: readTls({ certFile, keyFile }) }),
});
await server.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
