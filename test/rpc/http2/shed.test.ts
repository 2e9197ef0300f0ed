// Proves what a connection does with requests that are refused before anything is made of them: each has the answer
// that the shedder gives, what still comes for it means nothing, and requests beside it take their way with all their
// headers, whichever of them the table of HPACK has from a refused one.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { it, type TestContext } from 'node:test';
import { Clients } from '../../../functions/rpc/call/clients.ts';
import { connectionOf } from '../../../functions/rpc/call/connection.ts';
import { MemoryBudget } from '../../../functions/rpc/call/memory-budget.ts';
import type { Shedder } from '../../../functions/rpc/http2/engine.ts';
import { Http2Server } from '../../../functions/rpc/http2/http2-server.ts';
import type { Http2Stream } from '../../../functions/rpc/http2/http2-stream.ts';
import { rpcLimits } from '../../../functions/rpc/index.ts';
import { ConnectionCounts } from '../../../functions/rpc/telemetry/connection-counts.ts';
import { requestHttp2 } from '../../support/raw-request.ts';

const refused = [':status', '200', 'content-type', 'application/grpc+proto', 'grpc-status', '14'];

/** Refuses what goes to /refused. */
const shedder: Shedder = { isDue: true, refuse: ({ path }) => (path === '/refused' ? refused : undefined) };

/** Serves the rest: the answer is the size of the body, and what `x-tag` says. */
function answer(exchange: Http2Stream): void {
  let bytes = 0;
  exchange.receive({
    received(chunk) {
      bytes += chunk.length;
    },
    receivedAll() {
      exchange.sendHeaders([':status', '200', 'x-tag', String(exchange.headers['x-tag'])], false);
      exchange.end(Buffer.from(String(bytes)));
    },
    broken() {},
    drained() {},
    closed() {},
  });
}

async function connect(t: TestContext) {
  const counts = new ConnectionCounts();
  const parts = { limits: rpcLimits, memory: new MemoryBudget(rpcLimits), counts, shedder };
  const server = new Http2Server(answer, parts);
  const clients = new Clients();
  const listener = net.createServer((socket) => {
    socket.on('error', () => {});
    server.take(socket, connectionOf(socket, clients.enter(socket.remoteAddress ?? '')));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`).setMaxListeners(0);
  t.after(async () => {
    server.close();
    session.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  const post = (path: string, tag: string) => requestHttp2(session, { path, headers: { 'x-tag': tag } });
  return { counts, session, post };
}

it('a refused request has its answer, and those beside it have theirs', async (t) => {
  const { post } = await connect(t);
  for (let round = 0; round < 3; round++) {
    const [shed, taken] = [post('/refused', 'a'), post('/taken', 'a')];
    for (const { request } of [shed, taken]) request.end('body');
    for (const it of [shed, taken]) it.read();
    await Promise.all([shed.ended, taken.ended]);
    assert.equal(shed.headers['grpc-status'], '14');
    assert.deepEqual([taken.headers['x-tag'], String(taken.body)], ['a', '4']);
  }
});

it('the bodies of refused requests take nothing of the window of the others', async (t) => {
  const { post } = await connect(t);
  const body = Buffer.alloc(60_000);
  for (let sent = 0; sent < 2 * rpcLimits.connectionWindowBytes; sent += body.length) {
    const shed = post('/refused', 'b');
    shed.request.end(body);
    shed.read();
    await shed.ended;
  }
  const taken = post('/taken', 'b');
  taken.request.end(Buffer.alloc(2 * rpcLimits.streamWindowBytes));
  taken.read();
  await taken.ended;
  assert.equal(String(taken.body), String(2 * rpcLimits.streamWindowBytes));
});

it('a client may reset what is refused, and nothing is left of it', async (t) => {
  const { counts, post } = await connect(t);
  // More than a client may reset of what is under way.
  for (let round = 0; round < 1.5 * rpcLimits.streamResetBurst; round++) {
    const shed = post('/refused', 'c');
    await shed.responded;
    shed.request.destroy();
  }
  const taken = post('/taken', 'c');
  taken.request.end();
  taken.read();
  await taken.ended;
  assert.equal(taken.headers['x-tag'], 'c');
  assert.deepEqual([counts.streams, counts.goaways], [0, 0]);
});
