import type { DeployedService } from './deployed.ts';
import type { Journal } from './journal.ts';
import { Member } from './member.ts';
import type { Targets } from './targets.ts';
import { type Platform, Task } from './task.ts';

/** The tasks of a service: started, registered in its target groups, deregistered, drained and stopped. */
export class TaskSet implements AsyncDisposable {
  members: readonly Member[] = [];
  /** Options of podman for tasks that are started from now on, for faults that a task must be born with. */
  taskOptions: readonly string[] = [];
  /** How tasks ended after SIGTERM that ran well until then, by their ids. */
  readonly exitCodes = new Map<string, number>();

  readonly #platform: Platform;
  readonly #targets: Targets | undefined;
  readonly #journal: Journal;
  readonly #starting = new Map<Promise<void>, DeployedService>();
  readonly #stopping = new Set<Promise<void>>();
  /** What went wrong with the rehearsal itself. */
  failure: unknown;

  constructor(platform: Platform, targets: Targets | undefined, journal: Journal) {
    this.#platform = platform;
    this.#targets = targets;
    this.#journal = journal;
  }

  /** Tasks that get calls, or will. */
  get active(): readonly Member[] {
    return this.members.filter((it) => !it.isDraining);
  }

  /** How many tasks of a version are being started. */
  startingOf(version: DeployedService): number {
    return [...this.#starting.values()].filter((it) => it === version).length;
  }

  /**
   * Starts a task.
   *
   * @param isAlternate whether it goes into the alternate target groups
   * @param onFailure called when it can't be started
   */
  start(version: DeployedService, isAlternate: boolean, onFailure: (error: unknown) => void): void {
    const started = this.#start(version, isAlternate)
      .catch(onFailure)
      .finally(() => this.#starting.delete(started));
    this.#starting.set(started, version);
  }

  /** Deregisters a task, lets it finish its calls, then ends it. */
  stop(member: Member): void {
    member.isDraining = true;
    const stopping = this.#drainAndStop(member)
      .catch((error: unknown) => {
        this.failure ??= error;
      })
      .finally(() => this.#stopping.delete(stopping));
    this.#stopping.add(stopping);
  }

  /** The tasks that are on their way out have ended. */
  async settled(): Promise<void> {
    while (this.#stopping.size > 0) await Promise.all(this.#stopping);
  }

  /** Ends all of them at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#starting.size > 0) await Promise.all(this.#starting.keys());
    for (const member of this.members) member.leave();
    await Promise.all(this.members.map((it) => it.task.remove()));
    await this.settled();
  }

  async #start(version: DeployedService, isAlternate: boolean): Promise<void> {
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

  async #drainAndStop(member: Member): Promise<void> {
    const { task } = member;
    const ranWell = task.isRunning && member.wasHealthy && !member.isUnhealthy;
    member.leave();
    this.#publish(member);
    const drain = (await this.#targets?.drain(member)) ?? { seconds: 0, left: 0 };
    member.isOut = true;
    this.#publish(member);
    const { exitCode, seconds } = await task.stop();
    this.members = this.members.filter((it) => it !== member);
    if (ranWell) this.exitCodes.set(task.id, exitCode);
    const cut = drain.left > 0 ? `, ${drain.left} requests left` : '';
    this.#journal.say(
      `task ${task.id} of ${task.revision} drained in ${drain.seconds.toFixed(1)} s${cut}, ` +
        `ended with ${exitCode} ${seconds.toFixed(1)} s after SIGTERM`,
    );
  }
}
