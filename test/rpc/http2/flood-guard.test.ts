// Proves that a connection has its burst once, however long the process has run before it was opened.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FloodGuard } from '../../../functions/rpc/http2/flood-guard.ts';
import { ConnectionFault } from '../../../functions/rpc/http2/frame.ts';

it('gives its burst once', () => {
  // So many more that the time of the process, were it counted, would be a burst of its own: not the time of a stall.
  const perSecond = 1000 / performance.now();
  const limits = {
    streamResetBurst: 1,
    streamResetsPerSecond: 2 * perSecond,
    resetSharesPerConnection: 1,
    glitchBurst: 1,
    glitchesPerSecond: 1,
    minPingIntervalMs: 0,
    maxPingStrikes: 0,
  };
  const guard = new FloodGuard(limits);
  guard.reset();
  assert.throws(() => guard.reset(), ConnectionFault);
});
