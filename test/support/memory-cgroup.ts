import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './patience.ts';

/**
 * A cgroup whose processes may take so much memory together, as a container. Disposal removes it when they have ended.
 */
export interface MemoryCgroup extends AsyncDisposable {
  /** What runs a command in it, as the first words of the command. */
  readonly launcher: readonly string[];
  /** How many processes the kernel has killed in it for want of memory. */
  oomKills(): number;
}

/**
 * Makes one below that of this process. Undefined where that can't be: it takes root on Linux, or a delegated cgroup.
 */
export function memoryCgroup(bytes: number): MemoryCgroup | undefined {
  const place = ownPlace();
  if (place === undefined) return undefined;
  const folder = join(place.folder, `test-${process.pid}-${bytes}`);
  try {
    mkdirSync(folder);
  } catch {
    return undefined;
  }
  try {
    writeFileSync(join(folder, place.limitFile), String(bytes));
  } catch {
    rmdirSync(folder);
    return undefined;
  }
  return {
    launcher: ['bash', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', folder],
    oomKills() {
      const text = readFileSync(join(folder, place.eventsFile), 'utf8');
      return Number(/^oom_kill (\d+)$/m.exec(text)?.[1]);
    },
    async [Symbol.asyncDispose]() {
      // The kernel lets go of a process some time after its parent has been told of its end.
      const isRemoved = await eventually(() => {
        try {
          rmdirSync(folder);
          return true;
        } catch {
          return false;
        }
      });
      assert.ok(isRemoved, `${folder} can't be removed: a process in it still runs`);
    },
  };
}

/**
 * Where the memory of this process is limited, by cgroup v1 or v2 (https://docs.kernel.org/admin-guide/cgroup-v2.html).
 */
function ownPlace(): { folder: string; limitFile: string; eventsFile: string } | undefined {
  let memberships: string;
  try {
    memberships = readFileSync('/proc/self/cgroup', 'utf8');
  } catch {
    return undefined; // another system
  }
  const v1 = /^\d+:(?:\w+,)*memory(?:,\w+)*:(.+)$/m.exec(memberships)?.[1];
  if (v1 !== undefined) {
    const folder = join('/sys/fs/cgroup/memory', v1);
    return { folder, limitFile: 'memory.limit_in_bytes', eventsFile: 'memory.oom_control' };
  }
  const v2 = /^0::(.+)$/m.exec(memberships)?.[1];
  if (v2 === undefined) return undefined;
  return { folder: join('/sys/fs/cgroup', v2), limitFile: 'memory.max', eventsFile: 'memory.events' };
}
