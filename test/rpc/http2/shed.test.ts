// Proves what a connection does with requests that are refused before anything is made of them: each has the answer
// that the shedder gives, what still comes for it means nothing, and requests beside it take their way with all their
// headers, whichever of them the table of HPACK has from a refused one. An answer that comes again takes a few bytes,
// and a client that wants no table gets it as it is.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { it, type TestContext } from 'node:test';
import { Clients } from '../../../functions/rpc/call/clients.ts';
import { connectionOf } from '../../../functions/rpc/call/connection.ts';
import { MemoryBudget } from '../../../functions/rpc/call/memory-budget.ts';
import type { Shedder } from '../../../functions/rpc/http2/engine.ts';
import { HpackDecoder } from '../../../functions/rpc/http2/hpack/decoder.ts';
import { Http2Server } from '../../../functions/rpc/http2/http2-server.ts';
import type { Http2Stream } from '../../../functions/rpc/http2/http2-stream.ts';
import { settingId } from '../../../functions/rpc/http2/settings.ts';
import { rpcLimits } from '../../../functions/rpc/index.ts';
import { ConnectionCounts } from '../../../functions/rpc/telemetry/connection-counts.ts';
import { beginning, callHeaders, http2Frame, http2FramesOf } from '../../support/http2-bytes.ts';
import { eventually } from '../../support/patience.ts';
import { requestHttp2 } from '../../support/raw-request.ts';

/** Answers of refused requests, by their paths. */
const refused = new Map(
  ['/refused', '/refused/2', '/refused/3'].map((path) => [
    path,
    [
      ':status',
      '200',
      'content-type',
      'application/grpc+proto',
      'grpc-status',
      '14',
      'x-of',
      path.repeat(20),
    ],
  ]),
);

const shedder: Shedder = { isDue: true, refuse: ({ path }) => refused.get(path) };

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
  return { counts, session, port, post };
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

it('bodies that come after the answers to several requests mean nothing, up to their ends', async (t) => {
  const { counts, port } = await connect(t);
  const socket = net.connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  let received: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
  });
  const count = (type: number) => http2FramesOf(received).filter((it) => it.type === type).length;
  const streams = [1, 3, 5];
  const ping = http2Frame(6, 0, 0, Buffer.alloc(8));
  socket.write(beginning());
  for (const id of streams) socket.write(http2Frame(1, 4, id, callHeaders('/refused')));
  for (const id of streams) socket.write(http2Frame(0, 0, id, Buffer.from('a part')));
  for (const id of streams) socket.write(http2Frame(0, 1, id, Buffer.from('the rest')));
  socket.write(ping);
  assert.ok(await eventually(() => count(6) === 1));
  assert.deepEqual([count(1), counts.resetsSent], [3, 0]);
  for (const id of streams) socket.write(http2Frame(0, 1, id, Buffer.from('more')));
  socket.write(ping);
  assert.ok(await eventually(() => count(6) === 2));
  assert.equal(counts.resetsSent, 3);
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

it('an answer that comes again takes a few bytes, unless the client has no room for it', async (t) => {
  const { session, post } = await connect(t);
  const ask = async (path: string) => {
    const shed = post(path, 'd');
    shed.request.end();
    shed.read();
    await shed.ended;
    assert.equal(shed.headers['x-of'], path.repeat(20));
  };
  const bytesOf = async (path: string) => {
    const before = session.socket.bytesRead;
    await ask(path);
    return session.socket.bytesRead - before;
  };
  for (const path of refused.keys()) assert.ok((await bytesOf(path)) > 20 * path.length);
  for (const path of refused.keys()) assert.ok((await bytesOf(path)) < 30);
  await new Promise<void>((resolve) => session.settings({ headerTableSize: 0 }, () => resolve()));
  for (const path of refused.keys()) assert.ok((await bytesOf(path)) > 20 * path.length);
});

/** The payload of SETTINGS that tell the sizes of a client's table, one after the other. */
function tableSizes(...sizes: readonly number[]): Buffer {
  const payload = Buffer.alloc(6 * sizes.length);
  for (const [index, bytes] of sizes.entries()) {
    payload.writeUInt16BE(settingId.headerTableSize, 6 * index);
    payload.writeUInt32BE(bytes, 6 * index + 2);
  }
  return payload;
}

for (const sizes of [[0], [4_095], [0, 4_096], [65_536, 100, 65_536]]) {
  it(`a client whose table has the sizes ${sizes} hears first that none is used`, async (t) => {
    const { port } = await connect(t);
    const socket = net.connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
    });
    socket.write(beginning());
    const ask = (id: number) => socket.write(http2Frame(1, 5, id, callHeaders('/refused')));
    ask(1);
    ask(3);
    socket.write(http2Frame(4, 0, 0, tableSizes(...sizes)));
    ask(5);
    ask(7);
    const blocks = () => http2FramesOf(received).filter((it) => it.type === 1);
    assert.ok(await eventually(() => blocks().length === 4));
    const [first, again, told, untold] = blocks().map((it) => it.payload);
    // Section 6.3 of RFC 7541: the update to 0. What comes then is the static table's, or as it is.
    assert.ok(first && again && told && untold);
    assert.ok(first[0] === 0x88 && again[0] === 0x88 && again.length < 10);
    assert.deepEqual([told[0], told[1], untold[0]], [0x20, 0x88, 0x88]);
    assert.deepEqual(told.subarray(1), untold);
    const fields: string[] = [];
    new HpackDecoder(0).decode(told, 0, told.length, { field: (name, value) => fields.push(name, value) });
    assert.deepEqual(fields, refused.get('/refused'));
  });
}
