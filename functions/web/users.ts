import type { Client } from '@connectrpc/connect';
import type { Users } from '../../proto/gen/users_pb.js';
import { acceptsHtml, type HttpRequest, type HttpResource, type HttpResponse } from '../rpc/index.ts';
import { pageRendering } from './users-page.ts';
import { parseTimeout, parseUsersQuery } from './users-query.ts';
import { linesRendering, linesType, type Rendering } from './users-rendering.ts';

/**
 * Answers `GET /users/` with the results of `GetUsers`, each as it arrives. Programs get newline-delimited JSON:
 * `{"user":{"username":"alexa","userId":7}}`, or `{"missing":{…}}`. Browsers, which accept `text/html`, get a page.
 * `users-query.ts` describes the query.
 *
 * An error is the last line: `{"error":{"code":"unavailable","message":"…"}}`. If it is also the first line, the HTTP
 * status says the same; otherwise the status was sent before, and only the line says it. The page does the same.
 *
 * @param client of the server itself (`RpcServer.local`)
 */
export function usersResource(client: Client<typeof Users>): HttpResource {
  const renderings = new WeakMap<HttpRequest, Rendering>();
  /** How a request is answered: its results and its error alike. */
  const renderingOf = (request: HttpRequest, response: Pick<HttpResponse, 'setHeader'>) => {
    if (!acceptsHtml(request.headers, linesType)) return linesRendering;
    const rendering = renderings.get(request) ?? pageRendering(request);
    renderings.set(request, rendering);
    for (let at = 0; at < rendering.headers.length; at += 2) {
      response.setHeader(rendering.headers[at] ?? '', rendering.headers[at + 1] ?? '');
    }
    return rendering;
  };
  return {
    // `/users` alone is not worth a redirect.
    paths: ['/users/', '/users'],
    methods: ['GET'],
    headers: linesRendering.headers,
    askedMs: parseTimeout,
    async answer(request, response) {
      const users = parseUsersQuery(request.query);
      const rendering = renderingOf(request, response);
      let start = rendering.begin();
      for await (const result of client.getUsers({ user: [...users] }, request.callOptions())) {
        const wait = response.send(start + rendering.row(result));
        start = '';
        if (wait !== undefined) await wait;
      }
      response.send(start + rendering.end());
    },
    errorText: (error, request, response) => renderingOf(request, response).error(error, response),
  };
}
