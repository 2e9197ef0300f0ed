import { Code } from '@connectrpc/connect';
import type { Effect, Fault } from '../fault.ts';
import type { Sample } from '../load.ts';
import { type Guard, mustRollBackBy } from '../outcome.ts';
import type { Stage } from '../stage.ts';
import type { TaskDefinitionProperties } from '../template.ts';
import { hasCode, overlaps } from './task-faults.ts';

/** A task definition whose containers have other values in their environment. */
export function withEnvironment(
  task: TaskDefinitionProperties,
  environment: Readonly<Record<string, string>>,
): TaskDefinitionProperties {
  return {
    ...task,
    ContainerDefinitions: task.ContainerDefinitions.map((container) => {
      const kept = container.Environment?.filter(({ Name }) => !(Name in environment)) ?? [];
      const others = Object.entries(environment).map(([Name, Value]) => ({ Name, Value }));
      return { ...container, Environment: [...kept, ...others] };
    }),
  };
}

/** Deploys a version that must not stay: a guard must bring the former one of every service back. */
async function mustRollBack(
  stage: Stage,
  environment: Readonly<Record<string, string>>,
  guard: Guard,
  mayFail: (sample: Sample) => boolean,
): Promise<Effect> {
  await stage.calm();
  const beganMs = performance.now();
  const outcomes = await stage.redeploy({ change: (it) => withEnvironment(it, environment), bakes: true });
  const problems = mustRollBackBy(guard, outcomes);
  await stage.service.steady();
  const endedMs = performance.now();
  const during = (it: Sample) => overlaps(it, beganMs, endedMs) && mayFail(it);
  // A client that retries may still be at it.
  return { problems, hasAftermath: true, mayFail: during, mayFailPatiently: during };
}

/** What a server says of its own faults. Source: docs/errors.md */
const codesOfFaults = [Code.Internal, Code.Unavailable, Code.Unknown, Code.DeadlineExceeded, Code.DataLoss];

/** A name that tells the tasks of a version apart that is to fail. Nothing in them reads it. */
const mark = 'REHEARSAL_FAILS';

export const failingVersion: Fault = {
  says: 'A new version is healthy, and the table refuses it: it fails its calls. An alarm brings the former one back.',
  async run(stage) {
    const { door } = stage;
    door.isDenied = (address) => {
      const members = [...stage.services.values()].flatMap((it) => it.tasks.members);
      const member = members.find((it) => it.task.address === address);
      const containers = member?.version.taskDefinition.ContainerDefinitions ?? [];
      const isMarked = containers.some(({ Environment = [] }) =>
        Environment.some(({ Name }) => Name === mark),
      );
      // Tasks look at the table when they start.
      return isMarked && member?.wasHealthy === true;
    };
    try {
      const environment = { [mark]: '1', ...stage.subject.failing };
      return await mustRollBack(stage, environment, 'the alarm', ({ error }) =>
        hasCode(error, ...codesOfFaults),
      );
    } finally {
      door.isDenied = () => false;
    }
  },
};

export const unhealthyVersion: Fault = {
  says: 'The tasks of a new version never get healthy. The circuit breaker brings the former one back, and no call fails.',
  // They listen where nobody looks.
  run: async (stage) => mustRollBack(stage, { PORT: '50999' }, 'the circuit breaker', () => false),
};
