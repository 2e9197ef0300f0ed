// Stock connect-node with nothing on, served as its documentation shows: by HTTP/2, or with HTTP1 by HTTP/1.1.
import http from 'node:http';
import http2 from 'node:http2';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Users } from '../../proto/gen/users_pb.js';
import { createUser, getUsers } from './answers.ts';

const handler = connectNodeAdapter({
  routes: (router) =>
    router.service(Users, {
      createUser,
      async *getUsers(request) {
        for (const result of getUsers(request)) yield result;
      },
    }),
});
const server = process.env.HTTP1 ? http.createServer(handler) : http2.createServer(handler);
server.listen(Number(process.env.PORT), '127.0.0.1');
