// Proves that the event loop's delay is told, but not that of the start.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setInterval } from 'node:timers/promises';
import { Figures } from '../../../functions/web/console/figures.ts';
import { eventually } from '../../support/patience.ts';

const sources = {
  health: { isShutDown: false, problems: [] },
  usage: () => ({ heldBytes: 0, clients: 0, watches: 0 }),
  storeKind: 'memory',
};

/** Does nothing else for a while. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Lets Node's own monitor see the loop, which tells nobody when it has. */
async function beSeen(): Promise<void> {
  for await (const _ of setInterval(50)) return;
}

it('tell how late the event loop is once the start is over', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const figures = new Figures();
  t.after(() => figures.close());
  const delayMs = () => figures.read(sources).eventLoopDelayMs;
  await beSeen();
  block(100);
  await beSeen();
  assert.equal(delayMs(), 0);
  t.mock.timers.tick(1_000);
  t.mock.timers.reset();
  assert.ok(
    await eventually(() => {
      block(20);
      return delayMs() > 0;
    }),
  );
});
