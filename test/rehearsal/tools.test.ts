// Proves that a rehearsal which lacks something does not run, that this is a failure, and that it says what to install:
// all at once, and before anything is started.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { faults } from '../../rehearsal/faults/all.ts';
import { findTools, NotRun } from '../../rehearsal/tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const main = join(root, 'rehearsal/main.ts');
/** Elsewhere the first thing that is missing is Linux, or root. */
const canRehearse = process.platform === 'linux' && process.getuid?.() === 0;

it('names the packages of programs that are missing, and is a failure', () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-tools-'));
  try {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main], {
      encoding: 'utf8',
      env: { PATH: folder, TMPDIR: folder, HOME: folder },
    });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /^rehearsal: NOT RUN, which is a failure: /);
    assert.match(stderr, canRehearse ? /apt-get install podman runc iproute2 / : /takes (Linux|root)/);
    assert.deepEqual([stdout, readdirSync(folder)], ['', []]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('names what a fault needs that is missing', { skip: !canRehearse }, async () => {
  const here = { ...faults.killed, says: '', run: () => Promise.reject(), missing: () => undefined };
  const lacking = { ...here, missing: () => 'a-library' };
  await assert.rejects(findTools(root, [here, lacking]), (error) => {
    return error instanceof NotRun && /apt-get install .*a-library/.test(error.message);
  });
});
