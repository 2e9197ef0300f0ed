// Proves that a call is made until it goes well, as often as it may be, and that the last failure is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withAttempts } from '../../rehearsal/attempts.ts';

for (const [failures, maxAttempts, made] of [
  [0, 1, 1],
  [1, 1, 1],
  [2, 3, 3],
  [9, 3, 3],
] as const) {
  test(`${failures} failures, ${maxAttempts} attempts: ${made} calls`, async () => {
    let calls = 0;
    const ended = withAttempts(
      async () => {
        if (++calls <= failures) throw new Error(`call ${calls}`);
      },
      maxAttempts,
      0,
    );
    if (failures < maxAttempts) await ended;
    else await assert.rejects(ended, { message: `call ${maxAttempts}` });
    assert.equal(calls, made);
  });
}
