import { setTimeout as sleep } from 'node:timers/promises';
import type { DeployedService } from './deployed.ts';
import { type DeploymentSettings, failureThreshold, leaving, roomFor, settingsOf } from './deployment.ts';
import type { Journal } from './journal.ts';
import type { Member } from './member.ts';
import type { Targets } from './targets.ts';
import type { Platform } from './task.ts';
import { TaskSet } from './task-set.ts';
import type { Watch } from './watch.ts';

/** How a deployment ended. */
export interface Outcome {
  readonly isComplete: boolean;
  /** Why the former version was brought back. */
  readonly reason?: string;
  readonly seconds: number;
}

/** A deployment under way, or the last one that is complete. */
interface Deployment {
  readonly version: DeployedService;
  /** Whether the tasks go into the alternate target groups of a strategy that shifts calls. */
  readonly isAlternate: boolean;
  readonly settings: DeploymentSettings;
  /** The alarms that bring the former version back. */
  readonly alarms: readonly string[];
  readonly beganMs: number;
  /** Tasks of it that failed. */
  failed: number;
}

/** Between two looks at what is to be done. */
const tickMs = 250;

const revisionOf = ({ taskDefinitionArn }: DeployedService) => taskDefinitionArn.replace(/^.*\//, '');

/**
 * An ECS service: keeps the wanted number of tasks, replaces them by those of a new version as its deployment
 * configuration says, and brings the former version back when too many new tasks fail or an alarm goes off.
 */
export class Service implements AsyncDisposable {
  readonly tasks: TaskSet;

  readonly #targets: Targets | undefined;
  readonly #watch: () => Watch;
  readonly #journal: Journal;
  readonly #end = new AbortController();
  readonly #keeping: Promise<void>;
  /** What the service runs; what a deployment under way is to bring. */
  #current: Deployment | undefined;
  #next: Deployment | undefined;

  constructor(platform: Platform, targets: Targets | undefined, watch: () => Watch, journal: Journal) {
    this.tasks = new TaskSet(platform, targets, journal);
    this.#targets = targets;
    this.#watch = watch;
    this.#journal = journal;
    this.#keeping = this.#keep();
  }

  /** The task definition that it runs. */
  get runs(): string | undefined {
    return this.#current?.version.taskDefinitionArn;
  }

  /**
   * Replaces the tasks by those of a version, the one that runs too, and returns how that ended.
   *
   * @param bakes whether alarms are watched once a rolling deployment is through. Default: they are
   * @throws Error when it is the first deployment, and fails
   */
  async deploy(version: DeployedService, { bakes = true } = {}): Promise<Outcome> {
    const former = this.#current;
    const deployment = this.#begin(version, former);
    const reason =
      (await this.#until(() => this.#areHealthy(deployment), deployment)) ??
      (deployment.settings.strategy !== 'ROLLING' && former
        ? await this.#shiftCalls(deployment)
        : await this.#finish(deployment, bakes && former !== undefined));
    const seconds = () => (performance.now() - deployment.beganMs) / 1000;
    this.#next = undefined;
    if (!reason) {
      this.#current = deployment;
      this.#journal.say(`deployment of ${revisionOf(version)} is complete after ${seconds().toFixed(1)} s`);
      return { isComplete: true, seconds: seconds() };
    }
    this.#journal.say(`deployment of ${revisionOf(version)} fails: ${reason}`);
    if (!former) throw new Error(`the first deployment of ${version.name} failed: ${reason}`);
    // The former version is what is wanted again; tasks of the failed one are the old ones now.
    const isBack = () => this.#areHealthy(former) && this.#others(former).length === 0;
    await this.#until(() => isBack() && this.tasks.startingOf(version) === 0);
    this.#journal.say(`${revisionOf(former.version)} is back after ${seconds().toFixed(1)} s`);
    return { isComplete: false, reason, seconds: seconds() };
  }

  /** The service has its wanted number of healthy tasks, and no others. */
  async steady(timeoutMs = 180_000): Promise<void> {
    const untilMs = performance.now() + timeoutMs;
    const isSteady = () => {
      const { desired = 0 } = this.#current?.version ?? {};
      const now = this.tasks.active;
      return now.length === desired && now.every((it) => it.isHealthy);
    };
    await this.#until(() => isSteady() || performance.now() > untilMs);
    if (!isSteady()) throw new Error(`the service has not its healthy tasks within ${timeoutMs / 1000} s`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#keeping;
    await this.tasks[Symbol.asyncDispose]();
  }

  #begin(version: DeployedService, former: Deployment | undefined): Deployment {
    const watch = this.#watch();
    const names = version.properties.DeploymentConfiguration?.Alarms?.AlarmNames ?? [];
    const settings = settingsOf(version, watch.bakeMinutes(names));
    const isShifted = settings.strategy !== 'ROLLING' && former !== undefined;
    this.#next = {
      version,
      isAlternate: isShifted !== (former?.isAlternate ?? false),
      settings,
      // ECS watches no alarm that is on already: the deployment may be the cure.
      alarms: watch.firing(settings.alarmNames) ? [] : settings.alarmNames,
      beganMs: performance.now(),
      failed: 0,
    };
    const how = `${settings.strategy.toLowerCase()}, ${version.desired} tasks`;
    this.#journal.say(`deployment of ${revisionOf(version)} begins: ${how}`);
    return this.#next;
  }

  /** A rolling deployment ends once the old tasks are out, and the alarms have been watched. */
  async #finish(deployment: Deployment, bakes: boolean): Promise<string | undefined> {
    const reason = await this.#until(() => this.#others(deployment).length === 0, deployment);
    return (
      reason ??
      (bakes ? this.#bake(deployment.settings.steps.at(-1)?.bakeMinutes ?? 0, deployment) : undefined)
    );
  }

  /** Shifts the calls step by step, and back at the first problem. Returns it. */
  async #shiftCalls(deployment: Deployment): Promise<string | undefined> {
    for (const { percent, bakeMinutes } of deployment.settings.steps) {
      this.#shift(deployment, percent);
      this.#journal.say(`${percent} % of the calls go to ${revisionOf(deployment.version)}`);
      const reason = await this.#bake(bakeMinutes, deployment);
      if (!reason) continue;
      this.#shift(deployment, 0);
      return reason;
    }
    for (const old of this.#others(deployment)) this.tasks.stop(old);
    return undefined;
  }

  #shift({ version, isAlternate }: Deployment, percent: number): void {
    for (const { TargetGroupArn, AdvancedConfiguration: pair } of version.properties.LoadBalancers ?? []) {
      if (!pair) throw new Error(`${version.name} shifts calls, but ${TargetGroupArn} has no alternate`);
      const { AlternateTargetGroupArn, ProductionListenerRule } = pair;
      const [share, rest] = [percent, 100 - percent];
      const weights = new Map([
        [TargetGroupArn, isAlternate ? rest : share],
        [AlternateTargetGroupArn, isAlternate ? share : rest],
      ]);
      this.#targets?.shift(ProductionListenerRule, weights);
    }
  }

  #others({ version }: Deployment): Member[] {
    return this.tasks.active.filter((it) => it.version !== version);
  }

  #areHealthy({ version }: Deployment): boolean {
    const mine = this.tasks.active.filter((it) => it.version === version);
    return mine.length === version.desired && mine.every((it) => it.isHealthy);
  }

  #problem({ version, settings, alarms, failed }: Deployment): string | undefined {
    const threshold = failureThreshold(version.desired);
    if (settings.hasCircuitBreaker && failed >= threshold)
      return `the circuit breaker: ${failed} tasks failed`;
    const alarm = this.#watch().firing(alarms);
    return alarm && `the alarm ${alarm}`;
  }

  async #bake(minutes: number, deployment: Deployment): Promise<string | undefined> {
    const untilMs = performance.now() + minutes * this.#watch().minuteMs;
    return this.#until(() => performance.now() >= untilMs, deployment);
  }

  /** Waits until something is so; returns the problem of a deployment, if there is one before. */
  async #until(isSo: () => boolean, deployment?: Deployment): Promise<string | undefined> {
    for (;;) {
      if (this.tasks.failure) throw this.tasks.failure;
      const reason = deployment && this.#problem(deployment);
      if (reason) return reason;
      if (isSo()) return undefined;
      await sleep(tickMs);
    }
  }

  async #keep(): Promise<void> {
    while (!this.#end.signal.aborted) {
      try {
        this.#tick();
      } catch (error) {
        this.tasks.failure ??= error;
      }
      await sleep(tickMs, undefined, { signal: this.#end.signal }).catch(() => {});
    }
  }

  /** Looks after lost tasks, and takes the next step towards what is wanted. */
  #tick(): void {
    const wanted = this.#next ?? this.#current;
    if (!wanted) return;
    const { version, settings } = wanted;
    for (const member of this.tasks.active) {
      const reason = member.lossOf(settings.graceMs);
      if (!reason) continue;
      this.#journal.say(`task ${member.task.id} of ${member.task.revision} ${reason}`);
      if (this.#next && member.version === this.#next.version) this.#next.failed++;
      this.tasks.stop(member);
    }
    const fresh = this.tasks.active.filter((it) => it.version === version);
    const old = this.#others(wanted);
    const healthy = (members: readonly Member[]) => members.filter((it) => it.isHealthy).length;
    const counts = {
      desired: version.desired,
      fresh: fresh.length + this.tasks.startingOf(version),
      freshHealthy: healthy(fresh),
      old: old.length,
      oldHealthy: healthy(old),
    };
    // With a strategy that shifts calls, all new tasks start beside the old ones, which stay until the end.
    const isBeside =
      settings.strategy !== 'ROLLING' && this.#next !== undefined && this.#current !== undefined;
    const room = isBeside ? { start: counts.desired - counts.fresh, stop: 0 } : roomFor(counts, settings);
    for (let started = 0; started < room.start; started++) this.#start(wanted);
    for (const member of leaving(old, room.stop)) this.tasks.stop(member);
  }

  #start(deployment: Deployment): void {
    this.tasks.start(deployment.version, deployment.isAlternate, (error) => {
      deployment.failed++;
      this.#journal.say(`a task could not be started: ${error instanceof Error ? error.message : error}`);
      if (!this.#current) this.tasks.failure ??= error;
    });
  }
}
