// Proves that PINGs which come alone and too often end their connection with the word that clients of gRPC know, that a
// few do not, and that PINGs beside other frames never do: those by which clients measure the path of a large response.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import type { RpcLimits } from '../../../functions/rpc/limits.ts';
import { frame } from '../../support/frames.ts';
import { callHeaders, http2Frame } from '../../support/http2-bytes.ts';
import { eventually } from '../../support/patience.ts';
import { RawHttp2, uint32 } from '../../support/raw-http2.ts';
import { serve } from '../echo.ts';
import { echoService } from '../echo-service.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;
const ping = http2Frame(6, 0, 0, Buffer.alloc(8));
const calls = 100;

async function connect(t: TestContext, limits: Partial<RpcLimits> = {}): Promise<RawHttp2> {
  const client = new RawHttp2(await serve(t, echoService(new Map()), { limits, http2Engine: 'own' }));
  await client.settle(); // by a PING: no strike, as it follows other frames
  return client;
}

/** How many PINGs were answered. */
function answers(client: RawHttp2): number {
  return client.of(6).filter(({ flags }) => flags === 1).length;
}

describe('PINGs that come alone', () => {
  it('too often end the connection with too_many_pings', async (t) => {
    const client = await connect(t);
    client.send(ping, ping, ping);
    assert.ok(await eventually(() => client.isClosed), 'it goes on');
    assert.equal(client.goawayCode, NGHTTP2_ENHANCE_YOUR_CALM);
    assert.equal(client.of(7).at(-1)?.payload.toString('latin1', 8), 'too_many_pings');
  });

  it('twice too often are answered', async (t) => {
    const client = await connect(t);
    client.send(ping, ping);
    assert.ok(await eventually(() => answers(client) === 3), 'no answer');
    // Another frame clears the strikes.
    client.send(http2Frame(8, 0, 0, uint32(1)), ping, ping, ping);
    assert.ok(await eventually(() => answers(client) === 6), 'no answer');
    assert.equal(client.goawayCode, undefined);
  });

  it('as often as the limit allows are answered, however many', async (t) => {
    const client = await connect(t, { minPingIntervalMs: 0 });
    client.send(...Array.from({ length: calls }, () => ping));
    assert.ok(await eventually(() => answers(client) === calls + 1), 'no answer');
    assert.equal(client.goawayCode, undefined);
  });
});

describe('PINGs beside other frames are no strikes', () => {
  it('of the client', async (t) => {
    const client = await connect(t);
    for (let index = 0; index < calls; index++) {
      const stream = 1 + 2 * index;
      const request = http2Frame(1, 4, stream, callHeaders('/test.echo.v1.Echo/Unary'));
      client.send(request, ping, http2Frame(0, 1, stream, frame(Buffer.alloc(0))), ping);
    }
    assert.ok(await eventually(() => answers(client) === 2 * calls + 1), 'no answer');
    assert.equal(client.goawayCode, undefined);
  });

  it('of the server: one for each message of a response', async (t) => {
    const client = await connect(t);
    client.send(http2Frame(1, 4, 1, callHeaders('/test.echo.v1.Echo/Bidi')));
    client.send(http2Frame(0, 0, 1, frame(Buffer.from('1064', 'hex')))); // count 100
    const asked = () => client.of(0, 1).length > 0;
    assert.ok(await eventually(asked), 'no message');
    client.send(ping);
    assert.ok(await eventually(() => answers(client) === 2), 'no answer');
    client.send(http2Frame(0, 0, 1, frame(Buffer.from('1001', 'hex'))));
    assert.ok(await eventually(() => client.of(0, 1).length > 1), 'no message');
    client.send(ping, ping, ping);
    assert.ok(await eventually(() => answers(client) === 5), 'no answer');
    assert.equal(client.goawayCode, undefined);
    client.send(http2Frame(3, 0, 1, uint32(8)));
  });
});
