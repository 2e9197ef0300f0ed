// Stock connect-node with nothing on, served as its documentation shows.
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
http2.createServer(handler).listen(Number(process.env.PORT), '127.0.0.1');
