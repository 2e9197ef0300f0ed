// Proves that a program which a rehearsal has started is ended, and that one which a signal has ended before (that of a
// terminal, which all programs in it get) is not waited for.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { end, hasEnded } from '../../rehearsal/command.ts';

const program = () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });

it('ends a program that runs', async () => {
  const running = program();
  assert.equal(hasEnded(running), false);
  await end(running);
  assert.deepEqual([running.signalCode, hasEnded(running)], ['SIGTERM', true]);
});

it('waits for none that has ended already', async () => {
  const running = program();
  running.kill('SIGINT');
  await once(running, 'exit');
  assert.deepEqual([running.exitCode, hasEnded(running)], [null, true]);
  await end(running);
});
