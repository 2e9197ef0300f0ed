// Proves that callers without a credential can't take the memory of those who have one: what is refused and not read is
// bounded, whatever number of addresses it comes from, and known callers are let in meanwhile.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { it } from 'node:test';
import { apiKeyWay } from '../../../functions/rpc/index.ts';
import { eventually } from '../../support/patience.ts';
import { echoOf } from '../echo.ts';
import { bearer, keyOf } from './keys.ts';
import { serveBy } from './tokens.ts';

const kib = 1024;

it('strangers that read nothing leave room for those who are known', async (t) => {
  const way = apiKeyWay([keyOf('good', 'tom', ['echo.call'])]);
  const limits = {
    maxHeldBytes: 400 * kib,
    maxHeldBytesPerClient: 300 * kib,
    maxHeldBytesPerConnection: 300 * kib,
  };
  const serving = await serveBy(t, way, limits);
  const session = http2.connect(serving.url, { settings: { initialWindowSize: 0 } });
  using _ended = { [Symbol.dispose]: () => session.destroy() };
  session.on('error', () => {});
  const header = 'x'.repeat(8 * kib);
  let refused = 0;
  for (let call = 0; call < 60; call += 1) {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/test.echo.v1.Echo/Unary',
      'content-type': 'application/json',
      'x-large': header,
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      refused += 1;
    });
    stream.end('{}');
  }
  // Those beyond the strangers' part are cut; the others wait for a client that never reads.
  assert.ok(await eventually(() => refused > 30), `${refused} were cut`);
  assert.ok(
    serving.server.usage.heldBytes <= limits.maxHeldBytes / 4,
    `${serving.server.usage.heldBytes} bytes`,
  );
  assert.ok(serving.server.usage.heldBytes > 0, 'nothing was held: this proves nothing');
  const echo = echoOf(serving, { protocol: 'grpc', http: '2' });
  assert.equal((await echo.unary({}, { headers: bearer('good') })).text, 'key:tom');
});
