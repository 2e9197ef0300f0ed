// Proves that the log tells of connections that came to nothing, ten a second by a line, the others by their number.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RefusalLog } from '../../../functions/rpc/port/refusal-log.ts';
import { ConnectionCounts } from '../../../functions/rpc/telemetry/connection-counts.ts';

it('ten refused connections a second have a line; the others are counted', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: [string, object][] = [];
  const write = (fields: object, message: string) => void lines.push([message, fields]);
  const log = new RefusalLog({ info: assert.fail, warn: write, error: assert.fail }, new ConnectionCounts());
  const noteMany = (count: number) => {
    for (let at = 0; at < count; at++) log.note('192.0.2.1', 'tls', 'TLS: ERR_SSL_HTTP_REQUEST');
  };
  const told = ['a connection was refused', { peer: '192.0.2.1', reason: 'TLS: ERR_SSL_HTTP_REQUEST' }];
  noteMany(25);
  assert.deepEqual(lines, Array(10).fill(told));
  t.mock.timers.tick(1_000);
  assert.deepEqual(lines.splice(0).at(-1), ['more connections were refused', { connections: 15 }]);
  t.mock.timers.tick(10_000);
  noteMany(3);
  t.mock.timers.tick(1_000);
  assert.deepEqual(lines, Array(3).fill(told));
});
