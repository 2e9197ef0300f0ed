import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder whose disk a test fills, and makes room on again. */
export interface Disk {
  readonly folder: string;
  /** Leaves no room for what the process `pid` would write to the folder. */
  fill(pid: number): void;
  makeRoom(pid: number): void;
  /** Removes the folder; nobody uses it any more. */
  remove(): void;
}

/**
 * A small file system in memory: what is full is the disk itself. It takes the right to mount one; `undefined` without.
 */
export function smallDisk(): Disk | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'users-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill() {
      for (let bytes = 4096; ; bytes += 4096) {
        try {
          writeFileSync(ballast, Buffer.alloc(bytes, 1));
        } catch {
          return;
        }
      }
    },
    makeRoom: () => rmSync(ballast),
    remove() {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

/**
 * The disk has room, but the files of the process may not grow: what the system says is EFBIG, where a full disk is
 * ENOSPC.
 */
export function limitedFiles(): Disk {
  const folder = mkdtempSync(join(tmpdir(), 'users-disk-'));
  const limit = (pid: number, bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);
  return {
    folder,
    fill: (pid) =>
      limit(pid, Math.max(...readdirSync(folder).map((name) => statSync(join(folder, name)).size))),
    makeRoom: (pid) => limit(pid, 'unlimited'),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
