import { Code, ConnectError } from '@connectrpc/connect';
import type { HttpResource } from '../rpc/index.ts';

const text =
  'This is the Users service, for clients of gRPC, gRPC-Web and Connect. Look users up at /users/. With CONSOLE=1 it has a console here.';

/**
 * Answers `/` where there is no console: in a line, what this is and where to look. The status stays 404: load
 * balancers check `/` where nobody has told them better, and would take whatever answers 200 for a server that is fit
 * to be sent calls.
 */
export function frontResource(): HttpResource {
  return {
    paths: ['/'],
    methods: ['GET'],
    headers: [...['content-type', 'text/plain'], ...['x-content-type-options', 'nosniff']],
    async answer() {
      throw new ConnectError(text, Code.NotFound);
    },
    errorText: ({ rawMessage }) => `${rawMessage}\n`,
  };
}
