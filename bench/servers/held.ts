// Ours, bare, for what connections and streams hold: it takes many of one client, for long, and says after a collection
// what the process takes. ENGINE is the one for HTTP/2.
import { setTimeout as delay } from 'node:timers/promises';
import { rpcLimits } from '../../functions/rpc/limits.ts';
import { RpcServer } from '../../functions/rpc/server.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { createUser, getUsers } from './answers.ts';

const many = 100_000;
const longMs = 1_000_000;
const server = new RpcServer({
  http2Engine: process.env.ENGINE === 'node' ? 'node' : 'own',
  limits: {
    ...rpcLimits,
    maxConnections: many,
    maxConnectionsPerClient: many,
    maxCallsPerClient: many,
    maxHeldBytes: 2 ** 30,
    maxHeldBytesPerClient: 2 ** 30,
    stallTimeoutMs: longMs,
    defaultDeadlineMs: longMs,
    maxDeadlineMs: longMs,
  },
  routes: (router) =>
    router.service(Users, {
      createUser,
      async *getUsers(request) {
        for (const result of getUsers(request)) yield result;
      },
    }),
});
const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
process.on('message', async () => {
  for (let count = 0; count < 4; count++) {
    globalThis.gc?.();
    await delay(100);
  }
  process.send?.(process.memoryUsage.rss());
});
process.send?.(port);
