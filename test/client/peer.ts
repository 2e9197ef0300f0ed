// A process of its own for connection.test.ts: `node peer.ts stock|ours ENDPOINT CALLS` makes calls one after the
// other, `node peer.ts leave ENDPOINT` reads one message of a stream. It never closes its client, and ends when nothing
// keeps it.
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { createUsersClient } from '../../client/client.ts';
import { Users } from '../../proto/gen/users_pb.js';

const [kind, endpoint = '', calls = '0'] = process.argv.slice(2);
const client =
  kind === 'stock'
    ? createClient(Users, createGrpcTransport({ baseUrl: endpoint }))
    : createUsersClient({ endpoint });
for (let call = 0; call < Number(calls); call++) {
  await client.createUser({ username: 'tom' });
  await new Promise(setImmediate);
}
if (kind === 'leave') {
  for await (const _ of client.getUsers({ user: [{ username: 'tom' }] }, { timeoutMs: 300_000 })) break;
}
console.log(`${calls} calls`);
