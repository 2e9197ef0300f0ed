// Proves that a connection reads on only when calls have heard that their streams are over: a system hands over many
// reads in a turn of the event loop, and the streams of all of them would be kept until its end.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Http2Connection } from '../../../functions/rpc/http2/http2-connection.ts';
import { rpcLimits } from '../../../functions/rpc/index.ts';
import { ConnectionCounts } from '../../../functions/rpc/telemetry/connection-counts.ts';
import { MemorySocket } from '../../fuzz/memory-socket.ts';
import { beginning, callHeaders, http2Frame } from '../../support/http2-bytes.ts';
import { uint32 } from '../../support/raw-http2.ts';
import { echoService } from '../echo-service.ts';
import { Echo } from '../gen/echo_pb.js';
import { serveInMemory } from '../memory-exchange.ts';

const headers = callHeaders('/test.echo.v1.Echo/Unary');
/** Calls that are reset at once, from this one on. */
const resets = (count: number, first: number) =>
  Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const stream = 2 * (first + index) + 1;
      return Buffer.concat([http2Frame(1, 4, stream, headers), http2Frame(3, 0, stream, uint32(8))]);
    }),
  );

it('a connection whose streams are reset stops reading for the rest of the turn', async () => {
  const socket = new MemorySocket(() => {});
  const served = serveInMemory((router) => router.service(Echo, echoService(new Map())));
  const connection = new Http2Connection({
    socket,
    connection: { ...served.connect(), destroy: () => socket.destroy() },
    limits: rpcLimits,
    memory: served.policy.memory,
    counts: new ConnectionCounts(),
    onStream: (stream) => served.router.accept(stream),
    onClosed: () => {},
  });
  socket.emit('data', Buffer.concat([beginning(), resets(200, 0)]));
  assert.equal(socket.isPaused(), false, 'so few are no crowd');
  socket.emit('data', resets(100, 200));
  assert.equal(socket.isPaused(), true);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(socket.isPaused(), false);
  connection.end.destroy();
});
