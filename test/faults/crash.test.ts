// The server process, with users in SQLite, is killed with SIGKILL at random moments while many sign up, change name,
// address and password, log in and leave, again and again on the same file: 8 times, or CRASH_ROUNDS times
// (`npm run test:faults`: 200). Afterwards all that was acknowledged is there, nothing is half-written, nobody has what
// is another's, and repeating what was not acknowledged with its request id ends with it exactly once.
//
// What this proves, and what not: SIGKILL ends the process between any two instructions, so nothing that it
// still held, queued or had only promised survives, and the log is recovered at each start. The kernel keeps what
// was written, synced or not, so a missing sync would not show here as it would after a power cut. That the
// file is synced at each commit (journal_mode=WAL, synchronous=FULL) is read from the open database by
// test/users/stores/sqlite.test.ts; that a disk keeps what it was told to sync is for the disk to keep.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ServerProcess } from '../support/process.ts';
import { crashSettings, survivesKills } from './crash.ts';
import { keptInSqlite } from './kept-sqlite.ts';

const rounds = Number(process.env.CRASH_ROUNDS ?? 8);

test(`SQLite survives ${rounds} kills under sign-ups, changes and removals`, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-crash-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const settings = { ...crashSettings, USERS_DATA: folder };
  context.diagnostic(
    await survivesKills({
      rounds,
      start: () => new ServerProcess({ settings }),
      untilItWrites: () => untilItGrows(join(folder, 'users.sqlite-wal')),
      read: () => keptInSqlite(folder),
    }),
  );
});

/** An event would come some commits later, so it looks all the time; not for ever, since nothing may be asked for. */
function untilItGrows(path: string): void {
  const before = statSync(path).size;
  const giveUpAtMs = performance.now() + 20;
  while (statSync(path).size === before && performance.now() < giveUpAtMs);
}
