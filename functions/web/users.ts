import { toJsonString } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { Users } from '../../proto/gen/users_pb.js';
import { GetUsersResultSchema } from '../../proto/gen/users_types_pb.js';
import { connectCodeName, type HttpResource } from '../rpc/index.ts';
import { parseTimeout, parseUsersQuery } from './users-query.ts';

/**
 * Answers `GET /users/` with the results of `GetUsers` as newline-delimited JSON, each as it arrives:
 * `{"user":{"username":"alexa","userId":7}}`, or `{"missing":{…}}`. `users-query.ts` describes the query.
 *
 * An error is the last line: `{"error":{"code":"unavailable","message":"…"}}`. If it is also the first line, the HTTP
 * status says the same; otherwise the status was sent before, and only the line says it.
 *
 * @param client of the server itself (`RpcServer.local`)
 */
export function usersResource(client: Client<typeof Users>): HttpResource {
  return {
    // `/users` alone is not worth a redirect.
    paths: ['/users/', '/users'],
    methods: ['GET'],
    headers: [
      ...['content-type', 'application/x-ndjson'],
      ...['cache-control', 'no-store'],
      ...['x-content-type-options', 'nosniff'],
    ],
    askedMs: parseTimeout,
    async answer(request, response) {
      const users = parseUsersQuery(request.query);
      for await (const result of client.getUsers({ user: [...users] }, request.callOptions())) {
        const wait = response.send(`${toJsonString(GetUsersResultSchema, result)}\n`);
        if (wait !== undefined) await wait;
      }
    },
    errorText({ code, rawMessage: message }) {
      return `${JSON.stringify({ error: { code: connectCodeName(code), message } })}\n`;
    },
  };
}
