import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasReadOnlyRoot } from '../confinement.ts';
import { type Fault, notRun } from '../fault.ts';
import { mustComplete } from '../outcome.ts';
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
    const full: string[] = [];
    const roomy: string[] = [];
    const pathIn = (mount: string) => join(`/proc/${container.pid}/root`, mount, 'rehearsal-fills-this');
    for (const mount of mounts) {
      const filled = await fill(pathIn(mount));
      if (filled === 'full') full.push(mount);
      if (filled === 'has room') roomy.push(mount);
    }
    stage.journal.say(
      `task ${task.id}: root ${isReadOnly ? 'read-only' : 'WRITABLE'}; full: ${full.join(', ') || 'nothing'}`,
    );
    await sleep(fillForMs);
    for (const mount of [...full, ...roomy]) rmSync(pathIn(mount), { force: true });
    const problems = notRun(full.length, 'nothing that the task can write to got full');
    for (const mount of roomy) problems.push(`NOT RUN: ${mount} has more room than was written`);
    if (!isReadOnly) problems.push('the root of the task can be written to');
    if (!stage.service.tasks.active.some((it) => it.task === task)) problems.push('the task did not survive');
    return { problems };
  },
};

/** Writes a file until there is no more room: ENOSPC was seen, or not, or the file can't be made. */
export async function fill(path: string, most = mostBytes): Promise<'full' | 'has room' | 'not written'> {
  const file = await open(path, 'w').catch(() => undefined);
  if (!file) return 'not written';
  const chunk = Buffer.alloc(1024 * 1024, 1);
  try {
    for (let written = 0; written < most; written += chunk.length) await file.write(chunk);
    return 'has room';
  } catch (error) {
    // Full: that is what it is about.
    return error instanceof Error && 'code' in error && error.code === 'ENOSPC' ? 'full' : 'has room';
  } finally {
    await file.close();
  }
}

const hourMs = 3_600_000;
/** As libfaketime takes them, and in milliseconds. */
const jumps = [
  { offset: '+2h', ms: 2 * hourMs },
  { offset: '-1d', ms: -24 * hourMs },
  { offset: '+400d', ms: 400 * 24 * hourMs },
  { offset: '+0', ms: 0 },
];
const eachForMs = 8_000;
/** Between the last line of a log and now. */
const mostBehindMs = 60_000;

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
      problems.push(...mustComplete(await stage.redeploy()));
      const container = pickTask(stage).task.containers[0];
      if (!container) throw new Error('the task has no container');
      const hasLibrary = readFileSync(`/proc/${container.pid}/maps`, 'utf8').includes('libfaketime');
      if (!hasLibrary)
        problems.push("NOT RUN: the library is not in the task's program, which may be linked statically");
      for (const { offset, ms } of hasLibrary ? jumps : []) {
        writeFileSync(file, `${offset}\n`); // in place: the file itself is mounted
        await sleep(eachForMs);
        const said = lastTime(existsSync(container.log) ? readFileSync(container.log, 'utf8') : '');
        const shown = said === undefined ? 'nothing' : new Date(said).toISOString();
        stage.journal.say(`the clock is at ${offset}: the task says ${shown}`);
        if (said === undefined || Math.abs(said - Date.now() - ms) > mostBehindMs) {
          problems.push(`NOT RUN: at ${offset} the clock of the task says ${shown}`);
        }
      }
    } finally {
      stage.service.tasks.taskOptions = [];
    }
    problems.push(...mustComplete(await stage.redeploy()));
    return { problems };
  },
};

/** The last time that a log of JSON tells, by the clock of the task, in milliseconds since 1970. */
export function lastTime(log: string): number | undefined {
  const [, text] = [...log.matchAll(/"time":"?([^",}]+)/g)].at(-1) ?? [];
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
