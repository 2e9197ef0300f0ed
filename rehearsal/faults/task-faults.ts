import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { run } from '../command.ts';
import type { Effect, Fault } from '../fault.ts';
import type { Sample } from '../load.ts';
import type { Member } from '../member.ts';
import type { Stage } from '../stage.ts';

/** Any task that serves. */
export function pickTask(stage: Stage): Member {
  const serving = stage.service.tasks.active.filter((it) => it.isHealthy);
  const picked = serving[Math.floor(Math.random() * serving.length)];
  if (!picked) throw new Error('no task serves');
  return picked;
}

/** Whether a call failed with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly Code[]): boolean {
  return codes.includes(ConnectError.from(error).code);
}

/** Whether a call was under way while something lasted. */
export const overlaps = ({ beganMs, endedMs }: Sample, fromMs: number, toMs: number): boolean =>
  endedMs >= fromMs && beganMs <= toMs;

/** Waits until a task gets no more calls. */
async function isOut(member: Member): Promise<void> {
  while (!member.isDraining) await sleep(100);
}

export const killed: Fault = {
  says: 'A task is killed without notice. Calls on it fail, until it is out of service; clients that retry notice nothing.',
  async run(stage) {
    const member = pickTask(stage);
    const beganMs = performance.now();
    await member.task.signal('KILL');
    stage.journal.say(`task ${member.task.id} was killed`);
    await isOut(member);
    const endedMs = performance.now();
    stage.journal.say(`it is out of service after ${((endedMs - beganMs) / 1000).toFixed(1)} s`);
    await stage.service.steady();
    return {
      problems: [],
      mayFail: (it) => overlaps(it, beganMs, endedMs) && hasCode(it.error, Code.Unavailable),
    };
  },
};

export const hung: Fault = {
  says: 'A task hangs: it takes calls and answers none. Health checks take it out; calls on it miss their deadline.',
  async run(stage): Promise<Effect> {
    const member = pickTask(stage);
    const beganMs = performance.now();
    await member.task.signal('STOP');
    stage.journal.say(`task ${member.task.id} hangs`);
    await isOut(member);
    const endedMs = performance.now();
    stage.journal.say(`it is out of service after ${((endedMs - beganMs) / 1000).toFixed(1)} s`);
    await stage.service.steady();
    const mayFail = (it: Sample) =>
      overlaps(it, beganMs, endedMs) && hasCode(it.error, Code.Unavailable, Code.DeadlineExceeded);
    // A client can't tell a call that takes long from one that is never answered.
    return { problems: [], hasAftermath: true, mayFail, mayFailPatiently: mayFail };
  },
};

export const lost: Fault = {
  says: 'A task gets SIGTERM, and nobody tells the load balancer. It serves on until health checks have noticed: no call fails.',
  async run(stage) {
    const member = pickTask(stage);
    member.isEnding = true;
    await member.task.signal('TERM');
    stage.journal.say(`task ${member.task.id} got SIGTERM`);
    const { name = '' } = member.task.containers[0] ?? {};
    const ended = run('podman', ['wait', name]);
    await isOut(member);
    const exitCode = await ended;
    await stage.service.steady();
    return { problems: exitCode === '0' ? [] : [`the task ended with ${exitCode}, not 0`] };
  },
};
