// Proves that what is written to a kept HTTP/1.1 connection in one turn, such as the head of a request and its message,
// waits for the end of that turn and leaves then, as one; and that what comes later leaves at once.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type ClientRequest } from 'node:http';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { parseAddress } from '../../client/connection/address.ts';
import { openAgent } from '../../client/connection/agent.ts';
import { listen } from '../support/listener.ts';

test('a request on a kept connection is gathered, and what follows it is not', async () => {
  await using server = await listen(
    http.createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.end(JSON.stringify({ body }));
    }),
  );
  const { agent, close } = openAgent(parseAddress(server.endpoint), {
    connectTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
  });
  const begin = () => http.request(server.endpoint, { method: 'POST', agent });
  const bodyOf = async (request: ClientRequest) => {
    const [response] = await once(request, 'response');
    return json(response);
  };
  try {
    const first = begin();
    first.end('first');
    assert.deepEqual(await bodyOf(first), { body: 'first' });
    await turn();
    const second = begin();
    second.flushHeaders();
    const [socket] = await once(second, 'socket');
    assert.ok(second.reusedSocket);
    assert.ok(socket.writableCorked > 0);
    second.write('whole ');
    await turn();
    assert.equal(socket.writableCorked, 0);
    second.end('in parts');
    assert.deepEqual(await bodyOf(second), { body: 'whole in parts' });
  } finally {
    close();
  }
});
