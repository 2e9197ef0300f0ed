// Proves when a snapshot of the heap can be taken: one at a time, after a pause, and also after one that node could not
// take. What the admin port makes of it is admin-port.test.ts's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { it } from 'node:test';
import { HeapSnapshots } from '../../functions/process/heap-snapshot.ts';

it('there is one at a time, and whoever is refused is told of a time that is not zero', async () => {
  const snapshots = new HeapSnapshots({ heapSnapshotPauseMs: 0 }, () => Readable.from(['{}']));
  const first = snapshots.take();
  assert.ok(first instanceof Readable);
  assert.deepEqual(snapshots.take(), { retryAfterMs: 1_000 });
  first.destroy();
  await once(first, 'close');
  assert.ok(snapshots.take() instanceof Readable);
});

it('one that can not be taken keeps nobody from the next', () => {
  let isBroken = true;
  const snapshots = new HeapSnapshots({ heapSnapshotPauseMs: 0 }, () => {
    if (isBroken) throw new Error('no memory');
    return Readable.from(['{}']);
  });
  assert.throws(() => snapshots.take(), /no memory/);
  isBroken = false;
  assert.ok(snapshots.take() instanceof Readable);
});
