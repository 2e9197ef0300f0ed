import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Acts } from './acts.ts';
import { baseImage, buildBaseImage } from './base-image.ts';
import { root } from './cdk.ts';
import { confined } from './confinement.ts';
import type { Effect } from './fault.ts';
import { faults } from './faults/all.ts';
import { withEnvironment } from './faults/version-faults.ts';
import type { Journal } from './journal.ts';
import { leftovers } from './leftovers.ts';
import { Load } from './load.ts';
import { Monitor } from './monitor.ts';
import type { Options } from './options.ts';
import { mustComplete } from './outcome.ts';
import { plainSubject } from './plain-subject.ts';
import { logsOf, mustNotHave } from './secrets.ts';
import { Stage } from './stage.ts';
import type { TaskDefinitionProperties } from './template.ts';
import type { Tools } from './tools.ts';
import { users } from './users-subject.ts';

/** Enough, with their waiting times, to outlast the health checks. */
const patientAttempts = 20;

/** What a rehearsal has seen, for its report. It grows while it is played. */
export interface Seen {
  title: string;
  /** What runs the service, in the plural. Default: Tasks */
  places?: string;
  readonly loads: Load[];
  monitor?: Pick<Monitor, 'taskCounts' | 'alarms'>;
}

/** Plays a whole rehearsal. What goes wrong is told by the acts; it ends early where nothing else can be seen. */
export async function rehearse(
  tools: Tools,
  options: Options,
  folder: string,
  journal: Journal,
  acts: Acts,
  seen: Seen,
): Promise<void> {
  const { app, stack, calls, failing } = options;
  const chosen = app && stack ? plainSubject({ app, stack, calls, failing }) : users;
  const subject = { ...chosen, context: { ...chosen.context, ...options.context } };
  const given = Object.entries(options.context).map(([name, value]) => `, ${name}=${value}`);
  seen.title = `${subject.stack}${given.join('')}`;
  await buildBaseImage();
  journal.leaveOut(`the base image, for which ${baseImage} stands in: this machine's Node, and nothing else`);
  await using stage = await Stage.open(tools, subject, folder, journal);
  // What runs by itself would outlive this process. A signal may come twice, from a terminal and from npm.
  let isEnding = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!isEnding) stage[Symbol.asyncDispose]().finally(() => process.exit(1));
      isEnding = true;
    });
  }
  const isDeployed = await acts.play('Bootstrap, deploy', async () => {
    await stage.cdk.bootstrap();
    await stage.deploy();
  });
  if (!isDeployed) return;
  await using monitor = new Monitor(stage, options.minuteMs);
  stage.watch = monitor;
  seen.monitor = monitor;
  await acts.play('The same once more makes no difference', () => stage.cdk.diff());
  await acts.play('The tasks are confined as they are defined', () => confined(stage));
  for (const check of [...subject.checks, ...options.checks]) {
    await acts.play(check, () => runCheck(stage, check));
  }
  await underLoad(stage, options, acts, seen);
  if (stage.secrets.size === 0) journal.leaveOut('whether secrets are in logs: the tasks were given none');
  else await acts.play('Secrets are in no log', () => mustNotHave(stage.secrets, logsOf(stage.folder)));
  await acts.play('Destroy', () => leftovers(stage));
  await acts.play('The AWS APIs', async () => {
    const problems = await stage.aws.problems();
    if (problems.length > 0) throw new Error(problems.join('\n'));
  });
}

/** Roll-outs, another version, faults and a second key, while calls of every kind are made. */
async function underLoad(stage: Stage, options: Options, acts: Acts, seen: Seen): Promise<void> {
  const { change, rotation } = stage.subject;
  let former = '';
  await withLoad(stage, acts, seen, async (play) => {
    for (let round = 1; round <= options.rounds; round++) {
      await play(`Roll-out ${round} of ${options.rounds}`, async () => ({
        problems: mustComplete(await stage.redeploy()),
      }));
    }
    // Before the faults, whose errors alarms remember.
    await play('Another version is deployed', async () => ({
      problems: mustComplete(await (change ? stage.deploy(change) : stage.redeploy({ change: another }))),
    }));
    for (const name of options.faults) {
      const fault = faults[name];
      if (fault) await play(`${name}: ${fault.says}`, () => fault.run(stage));
    }
    if (!rotation) return;
    await play('A second key lets in, too', async () => {
      await stage.calm();
      former = await rotation.add(stage);
      return { problems: mustComplete(await stage.redeploy()) };
    });
  });
  if (!rotation) return;
  await withLoad(stage, acts, seen, async (play) => {
    await play('The first key is gone', async () => {
      await rotation.drop(stage);
      return { problems: mustComplete(await stage.redeploy()) };
    });
  });
  await acts.play('The first key is refused', () =>
    runCheck(stage, rotation.refusal, { REHEARSAL_FORMER: former }),
  );
}

/** What makes any task definition another version: a variable that nothing reads. */
const another = (it: TaskDefinitionProperties) => withEnvironment(it, { REHEARSAL_VERSION: '2' });

type Play = (name: string, act: Parameters<Acts['playUnder']>[3]) => Promise<boolean>;

/** Makes calls while acts are played: some are never repeated, some are by their client. Then looks what is lost. */
async function withLoad(
  stage: Stage,
  acts: Acts,
  seen: Seen,
  play: (play: Play) => Promise<void>,
): Promise<void> {
  const endpoint = await stage.endpoint();
  using bare = new Load('without retries', stage.subject.calls(endpoint, 1));
  using patient = new Load('with retries', stage.subject.calls(endpoint, patientAttempts));
  seen.loads.push(bare, patient);
  await bare.start();
  await patient.start();
  await play((name, act) => acts.playUnder(bare, patient, name, act));
  await acts.playUnder(bare, patient, 'The former tasks end', () => formerEnd(stage));
  await Promise.all([bare.stop(), patient.stop()]);
  acts.conclude(bare, patient);
  for (const load of [bare, patient]) await acknowledged(load, acts, stage.journal);
}

/** Looks whether all is there that was acknowledged; left out where calls leave nothing behind. */
export async function acknowledged(load: Load, acts: Acts, journal: Journal): Promise<void> {
  const { lost: look, name } = load;
  if (!look)
    return journal.leaveOut('whether what was acknowledged is there: the calls leave nothing behind');
  await acts.play(`What was acknowledged, ${name}`, async () => {
    const { acknowledged, lost } = await look();
    journal.say(`${acknowledged} acknowledged, ${lost.length} lost`);
    if (lost.length > 0) throw new Error(lost.join('\n'));
    if (acknowledged === 0) throw new Error('NOT RUN: nothing was acknowledged');
  });
}

/** Waits until the tasks that were replaced are gone. They must have ended by themselves, in time. */
async function formerEnd(stage: Stage): Promise<Effect> {
  const problems: string[] = [];
  for (const service of stage.services.values()) {
    await service.tasks.settled();
    for (const [id, code] of service.tasks.exitCodes)
      if (code !== 0) problems.push(`task ${id} ended with ${code}`);
    service.tasks.exitCodes.clear();
  }
  return { problems };
}

async function runCheck(
  stage: Stage,
  command: string,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { file, token } = await stage.endpoint();
  const env = {
    ...process.env,
    ...stage.cdk.environment,
    REHEARSAL_ENDPOINT: file,
    ...stage.subject.environment(token),
    ...more,
  };
  const [code] = await once(spawn('bash', ['-c', command], { cwd: root, env, stdio: 'inherit' }), 'exit');
  if (code !== 0) throw new Error(`ended with ${code}`);
}
