import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployed, DeployedService } from './deployed.ts';
import { failureThreshold, roomFor, settingsOf } from './deployment.ts';
import type { Weights } from './envoy-config.ts';
import type { Journal } from './journal.ts';
import { Member } from './member.ts';
import type { Targets } from './targets.ts';
import { type Platform, Task } from './task.ts';

/** What a service asks whether a deployment may go on. */
export interface Watch {
  /** How long a minute lasts for alarms and for the time that a deployment bakes. */
  readonly minuteMs: number;
  /** For how many minutes alarms are watched after a rolling deployment, which ECS computes from them. */
  bakeMinutes(alarmNames: readonly string[]): number;
  /** The first of the alarms that is in the state ALARM. */
  firing(alarmNames: readonly string[]): string | undefined;
  /** Takes over what is deployed now. */
  configure(deployed: Deployed): void;
}

/** How a deployment ended. */
export interface Outcome {
  readonly isComplete: boolean;
  /** Why the former version was brought back. */
  readonly reason?: string;
  readonly seconds: number;
}

/** A deployment under way. */
interface Deployment {
  readonly version: DeployedService;
  /** Whether the tasks go into the alternate target groups of a strategy that shifts calls. */
  readonly isAlternate: boolean;
  readonly beganMs: number;
  failed: number;
}

/** Between two looks at what is to be done. */
const tickMs = 250;
/** Until ECS has seen that a task ended. Its health checks may be quicker. */
const noticeMs = 8_000;

/**
 * An ECS service: keeps the wanted number of tasks, replaces them by those of a new version as its deployment
 * configuration says, and brings the former version back when too many new tasks fail or an alarm goes off.
 */
export class Service implements AsyncDisposable {
  members: readonly Member[] = [];
  /** Options of podman for tasks that are started from now on, for faults that a task must be born with. */
  taskOptions: readonly string[] = [];

  readonly #platform: Platform;
  readonly #targets: Targets | undefined;
  readonly #watchNow: () => Watch;
  readonly #journal: Journal;
  readonly #stopping = new Set<Promise<void>>();
  readonly #starting = new Set<Promise<void>>();
  readonly #end = new AbortController();
  readonly #keeping: Promise<void>;
  /** What the service runs; what a deployment under way is to bring. */
  #current: Deployment | undefined;
  #next: Deployment | undefined;
  #failure: unknown;
  /** How tasks ended after SIGTERM that ran well until then, by their ids. */
  readonly exitCodes = new Map<string, number>();

  constructor(platform: Platform, targets: Targets | undefined, watch: () => Watch, journal: Journal) {
    this.#platform = platform;
    this.#targets = targets;
    this.#watchNow = watch;
    this.#journal = journal;
    this.#keeping = this.#keep();
  }

  /** The task definition that it runs. */
  get runs(): string | undefined {
    return this.#current?.version.taskDefinitionArn;
  }

  /** Tasks that get calls, or will. */
  get active(): readonly Member[] {
    return this.members.filter((it) => !it.isDraining);
  }

  /**
   * Replaces the tasks by those of a version, the one that runs too, and returns how that ended.
   *
   * @param bakes whether alarms are watched once a rolling deployment is through, or the next one comes before. Default:
   *   they are
   */
  async deploy(version: DeployedService, { bakes = true } = {}): Promise<Outcome> {
    const former = this.#current;
    const settings = settingsOf(
      version,
      this.#watchNow().bakeMinutes(version.properties.DeploymentConfiguration?.Alarms?.AlarmNames ?? []),
    );
    const isShifted = settings.strategy !== 'ROLLING' && former !== undefined;
    const deployment = {
      version,
      isAlternate: isShifted !== (former?.isAlternate ?? false),
      beganMs: performance.now(),
      failed: 0,
    };
    // ECS watches no alarm that is on already: the deployment may be the cure.
    const alarms = this.#watchNow().firing(settings.alarmNames) ? [] : settings.alarmNames;
    const what = version.taskDefinitionArn.replace(/^.*\//, '');
    this.#journal.say(
      `deployment of ${what} begins: ${settings.strategy.toLowerCase()}, ${version.desired} tasks`,
    );
    this.#next = deployment;
    const problem = () => this.#problem(deployment, settings.hasCircuitBreaker, alarms);
    const seconds = () => (performance.now() - deployment.beganMs) / 1000;

    let reason = await this.#until(() => this.#areHealthy(deployment), problem);
    if (!reason && isShifted) {
      for (const { percent, bakeMinutes } of settings.steps) {
        this.#shift(version, deployment.isAlternate, percent);
        this.#journal.say(`${percent} % of the calls go to ${what}`);
        reason = await this.#bake(bakeMinutes, problem);
        if (reason) break;
      }
      if (reason) this.#shift(version, deployment.isAlternate, 0);
      else for (const old of this.#others(deployment)) this.#stop(old);
    } else if (!reason) {
      reason = await this.#until(() => this.#others(deployment).length === 0, problem);
      if (bakes && former) reason ??= await this.#bake(settings.steps.at(-1)?.bakeMinutes ?? 0, problem);
    }
    if (!reason) {
      this.#current = deployment;
      this.#next = undefined;
      this.#journal.say(`deployment of ${what} is complete after ${seconds().toFixed(1)} s`);
      return { isComplete: true, seconds: seconds() };
    }
    this.#journal.say(`deployment of ${what} fails: ${reason}`);
    if (!former) throw new Error(`the first deployment of ${version.name} failed: ${reason}`);
    // The former version is what is wanted again; tasks of the failed one are the old ones now.
    this.#next = undefined;
    await this.#until(
      () => this.#areHealthy(former) && this.#others(former).length === 0,
      () => undefined,
    );
    this.#journal.say(
      `${former.version.taskDefinitionArn.replace(/^.*\//, '')} is back after ${seconds().toFixed(1)} s`,
    );
    return { isComplete: false, reason, seconds: seconds() };
  }

  /** The tasks that are on their way out have ended. */
  async settled(): Promise<void> {
    while (this.#stopping.size > 0) await Promise.all(this.#stopping);
  }

  /** The service has its wanted number of healthy tasks, and no others. */
  async steady(timeoutMs = 180_000): Promise<void> {
    const beganMs = performance.now();
    const { desired = 0 } = this.#current?.version ?? {};
    const isSteady = () => this.active.length === desired && this.active.every((it) => it.isHealthy);
    const late = () =>
      performance.now() - beganMs > timeoutMs ? 'the service does not become steady' : undefined;
    const reason = await this.#until(isSteady, late);
    if (reason) throw new Error(`${reason} in ${timeoutMs / 1000} s`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#keeping;
    while (this.#starting.size > 0) await Promise.all(this.#starting);
    for (const member of this.members) member.leave();
    await Promise.all(this.members.map((it) => it.task.remove()));
    await this.settled();
  }

  #others(deployment: Deployment): Member[] {
    return this.active.filter((it) => it.version !== deployment.version);
  }

  #areHealthy({ version }: Deployment): boolean {
    const mine = this.active.filter((it) => it.version === version);
    return mine.length === version.desired && mine.every((it) => it.isHealthy);
  }

  #problem(deployment: Deployment, hasBreaker: boolean, alarms: readonly string[]): string | undefined {
    const threshold = failureThreshold(deployment.version.desired);
    if (hasBreaker && deployment.failed >= threshold) {
      return `the circuit breaker: ${deployment.failed} tasks failed, of ${threshold}`;
    }
    const alarm = this.#watchNow().firing(alarms);
    return alarm && `the alarm ${alarm}`;
  }

  async #bake(minutes: number, problem: () => string | undefined): Promise<string | undefined> {
    const untilMs = performance.now() + minutes * this.#watchNow().minuteMs;
    return this.#until(() => performance.now() >= untilMs, problem);
  }

  /** Waits until something is so; returns the problem, if there is one before. */
  async #until(isSo: () => boolean, problem: () => string | undefined): Promise<string | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      const reason = problem();
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
        this.#failure = error;
        return;
      }
      await sleep(tickMs, undefined, { signal: this.#end.signal }).catch(() => {});
    }
  }

  /** Looks after lost tasks, and takes the next step towards what is wanted. */
  #tick(): void {
    const wanted = this.#next ?? this.#current;
    if (!wanted) return;
    const { version } = wanted;
    const settings = settingsOf(version, 0);
    for (const member of this.active) {
      const reason = this.#isLost(member, settings.graceMs);
      if (!reason) continue;
      this.#journal.say(`task ${member.task.id} of ${member.task.revision} ${reason}`);
      if (this.#next && member.version === this.#next.version) this.#next.failed++;
      this.#stop(member);
    }
    const fresh = this.active.filter((it) => it.version === version);
    const old = this.#others(wanted);
    const count = (members: readonly Member[]) => members.filter((it) => it.isHealthy).length;
    // With a strategy that shifts calls, all new tasks start beside the old ones, which stay until the end.
    const isBeside =
      settings.strategy !== 'ROLLING' && this.#next !== undefined && this.#current !== undefined;
    const room = isBeside
      ? { start: version.desired - fresh.length - this.#starting.size, stop: 0 }
      : roomFor(
          {
            desired: version.desired,
            fresh: fresh.length + this.#starting.size,
            freshHealthy: count(fresh),
            old: old.length,
            oldHealthy: count(old),
          },
          settings,
        );
    for (let started = 0; started < room.start; started++) this.#start(wanted);
    for (const member of old.slice(0, room.stop)) this.#stop(member);
  }

  /** Why a task is to be replaced. */
  #isLost(member: Member, graceMs: number): string | undefined {
    const nowMs = performance.now();
    if (!member.task.isRunning) {
      member.endedMs ??= nowMs;
      return nowMs - member.endedMs >= noticeMs ? 'ended by itself' : undefined;
    }
    const isGraced = !member.wasHealthy && nowMs - member.task.startedMs < graceMs;
    return member.isUnhealthy && !isGraced ? 'failed its health checks' : undefined;
  }

  #start(deployment: Deployment): void {
    const started = this.#startTask(deployment)
      .catch((error: unknown) => {
        deployment.failed++;
        this.#journal.say(`a task could not be started: ${error instanceof Error ? error.message : error}`);
        if (!this.#current) this.#failure = error;
      })
      .finally(() => this.#starting.delete(started));
    this.#starting.add(started);
  }

  async #startTask({ version, isAlternate }: Deployment): Promise<void> {
    const task = await Task.start(version, this.#platform, this.taskOptions);
    const registrations = this.#targets?.registrationsOf(version, isAlternate) ?? [];
    const member = new Member(task, version, registrations, (it) => this.#changed(it));
    this.members = [...this.members, member];
    this.#publish(member);
  }

  #changed(member: Member): void {
    const states = member.registrations.map((it) => member.healthIn(it.groupArn)).join(', ');
    this.#journal.say(`task ${member.task.id} of ${member.task.revision} is ${states}`);
    this.#publish(member);
  }

  #publish(member: Member): void {
    for (const { groupArn } of member.registrations) this.#targets?.publish(groupArn, this.members);
  }

  #stop(member: Member): void {
    member.isDraining = true;
    const stopping = this.#drainAndStop(member)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#stopping.delete(stopping));
    this.#stopping.add(stopping);
  }

  /** Deregisters a task, lets it finish its calls, then ends it. */
  async #drainAndStop(member: Member): Promise<void> {
    const { task } = member;
    const ranWell = task.isRunning && member.wasHealthy && !member.isUnhealthy;
    member.leave();
    this.#publish(member);
    const drain = (await this.#targets?.drain(member)) ?? { seconds: 0, left: 0 };
    this.members = this.members.filter((it) => it !== member);
    this.#publish(member);
    const { exitCode, seconds } = await task.stop();
    if (ranWell) this.exitCodes.set(task.id, exitCode);
    const cut = drain.left > 0 ? `, ${drain.left} requests left` : '';
    this.#journal.say(
      `task ${task.id} of ${task.revision} drained in ${drain.seconds.toFixed(1)} s${cut}, ` +
        `ended with ${exitCode} ${seconds.toFixed(1)} s after SIGTERM`,
    );
  }

  #shift(version: DeployedService, isAlternate: boolean, percent: number): void {
    for (const { TargetGroupArn, AdvancedConfiguration: pair } of version.properties.LoadBalancers ?? []) {
      if (!pair) throw new Error(`${version.name} shifts calls, but ${TargetGroupArn} has no alternate`);
      const [to, from] = isAlternate
        ? [pair.AlternateTargetGroupArn, TargetGroupArn]
        : [TargetGroupArn, pair.AlternateTargetGroupArn];
      const weights: Weights = new Map([
        [from, 100 - percent],
        [to, percent],
      ]);
      this.#targets?.shift(pair.ProductionListenerRule, weights);
    }
  }
}
