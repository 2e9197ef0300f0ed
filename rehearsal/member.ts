import { setTimeout as sleep } from 'node:timers/promises';
import type { DeployedService } from './deployed.ts';
import { type Health, type HealthCheck, probe, TargetHealth } from './health-check.ts';
import type { Task } from './task.ts';

/** Until ECS has seen that a task ended. Its health checks may be quicker. */
const noticeMs = 8_000;

/** A target group that a task is registered in. */
export interface Registration {
  readonly groupArn: string;
  readonly port: number;
  readonly check: HealthCheck;
}

/**
 * A task of a service, registered in its target groups: each checks its health by itself, as long as the task is there.
 */
export class Member {
  readonly task: Task;
  /** The version that it runs. */
  readonly version: DeployedService;
  readonly registrations: readonly Registration[];
  /** Whether it gets no new calls any more. */
  isDraining = false;
  /** Whether it is in no target group any more. */
  isOut = false;
  /** Whether it got SIGTERM from elsewhere, so that it ends by itself. */
  isEnding = false;
  /** Whether it was healthy in every target group at some time. */
  wasHealthy = false;
  /** Since when it has been seen to have ended. */
  #endedMs: number | undefined;

  readonly #health: ReadonlyMap<string, TargetHealth>;
  readonly #stop = new AbortController();

  /** @param onChange called when its health in a group has changed */
  constructor(
    task: Task,
    version: DeployedService,
    registrations: readonly Registration[],
    onChange: (member: Member) => void,
  ) {
    this.task = task;
    this.version = version;
    this.registrations = registrations;
    this.#health = new Map(registrations.map(({ groupArn, check }) => [groupArn, new TargetHealth(check)]));
    for (const registration of registrations) void this.#watch(registration, onChange);
  }

  healthIn(groupArn: string): Health | undefined {
    return this.#health.get(groupArn)?.state;
  }

  /** Whether every target group sends it calls. A task without target groups is, once it runs. */
  get isHealthy(): boolean {
    return this.task.isRunning && this.registrations.every((it) => this.healthIn(it.groupArn) === 'healthy');
  }

  get isUnhealthy(): boolean {
    return this.registrations.some((it) => this.healthIn(it.groupArn) === 'unhealthy');
  }

  /**
   * Why it is to be replaced, if it is.
   *
   * @param graceMs after its start, in which health checks do not count against a task that was never healthy
   */
  lossOf(graceMs: number): string | undefined {
    const nowMs = performance.now();
    if (!this.task.isRunning) {
      this.#endedMs ??= nowMs;
      return nowMs - this.#endedMs >= noticeMs ? 'ended by itself' : undefined;
    }
    const isGraced = !this.wasHealthy && nowMs - this.task.startedMs < graceMs;
    return this.isUnhealthy && !isGraced ? 'failed its health checks' : undefined;
  }

  /** Ends the checks. */
  leave(): void {
    this.#stop.abort();
  }

  async #watch({ groupArn, port, check }: Registration, onChange: (member: Member) => void): Promise<void> {
    const { signal } = this.#stop;
    const health = this.#health.get(groupArn);
    while (!signal.aborted) {
      // The time that an answer takes does not put off the next check.
      const next = sleep(check.intervalMs, undefined, { signal, ref: false }).catch(() => {});
      const hasPassed = await probe(check, this.task.address, port);
      if (signal.aborted) return;
      if (health?.record(hasPassed)) {
        this.wasHealthy ||= this.isHealthy;
        onChange(this);
      }
      await next;
    }
  }
}
