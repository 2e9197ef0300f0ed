// Proves how the log names the other side of a connection: an address of IPv6 stands in brackets before its port.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { it } from 'node:test';
import { Clients } from '../../../functions/rpc/call/clients.ts';
import { connectionOf } from '../../../functions/rpc/call/connection.ts';

for (const [host, expected] of [
  ['127.0.0.1', /^127\.0\.0\.1:\d+$/],
  ['::1', /^\[::1\]:\d+$/],
] as const) {
  it(`a peer at ${host}`, async (t) => {
    const server = net.createServer().listen({ host, port: 0 });
    t.after(() => server.close());
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const socket = net.connect(address.port, host);
    t.after(() => socket.destroy());
    const [accepted] = await once(server, 'connection');
    t.after(() => accepted.destroy());
    assert.match(connectionOf(accepted, new Clients().enter(accepted.remoteAddress)).peer, expected);
  });
}
