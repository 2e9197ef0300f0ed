import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasReadOnlyRoot } from '../confinement.ts';
import type { Fault } from '../fault.ts';
import { pickTask } from './task-faults.ts';

const fillForMs = 15_000;
/** More than any file system in memory of a task has. */
const mostBytes = 256 * 1024 * 1024;

/** File systems in memory that a process can write to. */
function writableMounts(pid: number): string[] {
  return readFileSync(`/proc/${pid}/mounts`, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type, options = '']) => type === 'tmpfs' && options.split(',').includes('rw'))
    .map(([, path = '']) => path)
    .filter((path) => !/^\/(?:proc|sys)\b/.test(path)); // the kernel's
}

export const fullDisk: Fault = {
  says: 'Whatever a task can write to is full. No call fails: nothing is kept there.',
  async run(stage) {
    const { task } = pickTask(stage);
    const [container] = task.containers;
    if (!container) throw new Error('the task has no container');
    const mounts = writableMounts(container.pid);
    const isReadOnly = hasReadOnlyRoot(container.pid);
    const filled: string[] = [];
    for (const mount of mounts) {
      const path = join(`/proc/${container.pid}/root`, mount, 'rehearsal-fills-this');
      if (await fill(path)) filled.push(path);
    }
    stage.journal.say(
      `task ${task.id}: root ${isReadOnly ? 'read-only' : 'WRITABLE'}; full: ${mounts.join(', ')}`,
    );
    await sleep(fillForMs);
    for (const path of filled) rmSync(path, { force: true });
    const problems = isReadOnly ? [] : ['the root of the task can be written to'];
    if (!stage.service.tasks.active.some((it) => it.task === task)) problems.push('the task did not survive');
    return { problems };
  },
};

/** Writes a file until there is no more room. Returns whether the file was made. */
async function fill(path: string): Promise<boolean> {
  const file = await open(path, 'w').catch(() => undefined);
  if (!file) return false;
  const chunk = Buffer.alloc(1024 * 1024, 1);
  try {
    for (let written = 0; written < mostBytes; written += chunk.length) await file.write(chunk);
  } catch {
    // Full: that is what it is about.
  } finally {
    await file.close();
  }
  return true;
}

const jumps = ['+2h', '-1d', '+400d', '+0'];
const eachForMs = 8_000;

/** Where Debian has the library that tells programs another time, if it is installed. */
const timeLibrary = () => globSync('/usr/lib/*/faketime/libfaketime.so.1')[0];

export const clock: Fault = {
  says: 'The clock of the tasks jumps two hours, back a day, and on by more than a year. No call fails.',
  missing: () => (timeLibrary() === undefined ? 'libfaketime' : undefined),
  async run(stage) {
    const library = timeLibrary();
    const file = join(stage.folder, 'clock');
    writeFileSync(file, '+0\n');
    const env = {
      LD_PRELOAD: '/clock/libfaketime.so.1',
      FAKETIME_TIMESTAMP_FILE: '/clock/offset',
      FAKETIME_CACHE_DURATION: '1',
      // What lasts is measured with the other clock, which never jumps.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const volumes = [
      '--volume',
      `${library}:/clock/libfaketime.so.1:ro`,
      '--volume',
      `${file}:/clock/offset:ro`,
    ];
    const variables = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    stage.service.tasks.taskOptions = [...volumes, ...variables];
    const problems: string[] = [];
    try {
      for (const { reason } of await stage.redeploy()) if (reason) problems.push(reason);
      for (const jump of jumps) {
        writeFileSync(file, `${jump}\n`); // in place: the file itself is mounted
        await sleep(eachForMs);
        stage.journal.say(
          `the clock is at ${jump}: the tasks say ${saidTimes(stage.service.tasks.active[0]?.task.containers[0]?.log)}`,
        );
      }
    } finally {
      stage.service.tasks.taskOptions = [];
    }
    for (const { reason } of await stage.redeploy()) if (reason) problems.push(reason);
    return { problems };
  },
};

/** When the last line of a log was written, by the clock of the task. */
function saidTimes(log: string | undefined): string {
  if (!log || !existsSync(log)) return 'nothing';
  const [, time = 'nothing'] =
    /"time":"?([^",]+)/.exec(readFileSync(log, 'utf8').trimEnd().split('\n').at(-1) ?? '') ?? [];
  return time;
}
