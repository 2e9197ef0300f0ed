// Two servers that start at once on a file that is not there yet both open it: each new file is made, given its
// schema and switched to its write-ahead log by one of them, while the other waits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Openings } from './sqlite-opener.ts';

const files = 200;

test(`SQLite file: two open each of ${files} new ones at the same moment`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-open-'));
  const paths = Array.from({ length: files }, (_, index) => join(folder, `${index}`, 'users.sqlite'));
  const ready = new Int32Array(new SharedArrayBuffer(files * Int32Array.BYTES_PER_ELEMENT));
  const workerData: Openings = { paths, ready };
  const openers = [0, 1].map(() => new Worker(new URL('sqlite-opener.ts', import.meta.url), { workerData }));
  try {
    const exits = await Promise.all(openers.map((opener) => once(opener, 'exit')));
    assert.deepEqual(exits, [[0], [0]]);
  } finally {
    await Promise.all(openers.map((opener) => opener.terminate()));
    rmSync(folder, { recursive: true });
  }
});
