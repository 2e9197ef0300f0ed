import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Alarms } from './alarms.ts';
import { balancerDimension, valuesOf } from './balancer-metrics.ts';
import type { Deployed } from './deployed.ts';
import { LogTail } from './log-tail.ts';
import { MetricFilters } from './metric-filters.ts';
import { Metrics } from './metrics.ts';
import type { Stage } from './stage.ts';
import type { Task } from './task.ts';
import type { Watch } from './watch.ts';

/** How many tasks there were at a time. */
export interface TaskCount {
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly running: number;
  readonly healthy: number;
  /** Those that get no new calls any more. */
  readonly draining: number;
}

/** What AWS measures of a deployment: counts it each second, and evaluates the alarms each minute. */
export class Monitor implements Watch, AsyncDisposable {
  readonly minuteMs: number;
  readonly alarms: Alarms;
  readonly taskCounts: TaskCount[] = [];

  readonly #stage: Stage;
  readonly #metrics = new Metrics();
  readonly #beganMs = performance.now();
  readonly #end = new AbortController();
  readonly #accessLog: LogTail;
  readonly #taskLogs = new Map<string, LogTail>();
  readonly #filters = new MetricFilters();
  readonly #cpu = new Map<string, { atMs: number; seconds: number }>();
  readonly #running: Promise<void>;
  #evaluated = -1;

  constructor(stage: Stage, minuteMs: number) {
    this.minuteMs = minuteMs;
    this.#stage = stage;
    this.alarms = new Alarms(this.#metrics, stage.journal);
    this.alarms.configure(stage.deployed);
    this.#accessLog = new LogTail(stage.balancer.accessLog);
    stage.door.onThrottle = ({ table, isWrite }) => {
      this.#put(
        'AWS/DynamoDB',
        isWrite ? 'WriteThrottleEvents' : 'ReadThrottleEvents',
        { TableName: table },
        1,
      );
    };
    this.#running = this.#run();
  }

  bakeMinutes(alarmNames: readonly string[]): number {
    return this.alarms.bakeMinutes(alarmNames);
  }

  configure(deployed: Deployed): void {
    this.alarms.configure(deployed);
  }

  areCalm(alarmNames: readonly string[]): boolean {
    return this.alarms.areCalm(alarmNames);
  }

  firing(alarmNames: readonly string[]): string | undefined {
    return this.alarms.firing(alarmNames);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
    this.#accessLog[Symbol.dispose]();
    for (const tail of this.#taskLogs.values()) tail[Symbol.dispose]();
  }

  get #minute(): number {
    return Math.floor((performance.now() - this.#beganMs) / this.minuteMs);
  }

  #put(namespace: string, name: string, dimensions: Readonly<Record<string, string>>, value: number): void {
    this.#metrics.put(namespace, name, dimensions, this.#minute, value);
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      this.#sample();
      for (; this.#evaluated < this.#minute - 1; this.#evaluated++) this.alarms.evaluate(this.#evaluated + 1);
      await sleep(1000, undefined, { signal: this.#end.signal }).catch(() => {});
    }
  }

  #sample(): void {
    const loadBalancer = this.#stage.deployed.loadBalancer?.id ?? '';
    for (const line of this.#accessLog.lines()) {
      for (const { name, dimensions, value } of valuesOf(line, loadBalancer)) {
        this.#put('AWS/ApplicationELB', name, dimensions, value);
      }
    }
    this.#countTargets(loadBalancer);
    this.#countTasks();
    this.#readLogs();
    this.#lookAtCertificates();
  }

  #countTargets(loadBalancer: string): void {
    const members = [...this.#stage.services.values()].flatMap((it) => it.tasks.active);
    for (const groupArn of this.#stage.deployed.targetGroups.keys()) {
      const health = members.map((it) => it.healthIn(groupArn)).filter((it) => it !== undefined);
      if (health.length === 0) continue; // a group without targets has no such metrics
      const dimensions = {
        TargetGroup: balancerDimension(groupArn),
        LoadBalancer: balancerDimension(loadBalancer),
      };
      const count = (state: string) => health.filter((it) => it === state).length;
      this.#put('AWS/ApplicationELB', 'HealthyHostCount', dimensions, count('healthy'));
      this.#put('AWS/ApplicationELB', 'UnHealthyHostCount', dimensions, count('unhealthy'));
    }
  }

  #countTasks(): void {
    const counts = { running: 0, healthy: 0, draining: 0 };
    for (const version of this.#stage.deployed.services) {
      const members = this.#stage.services.get(version.arn)?.tasks.members ?? [];
      for (const member of members) {
        if (!member.task.isRunning) continue;
        counts.running++;
        if (member.isDraining) counts.draining++;
        else if (member.isHealthy) counts.healthy++;
      }
      const dimensions = { ClusterName: version.cluster, ServiceName: version.name };
      for (const { task } of members) this.#measure(task, dimensions, version.taskDefinition);
    }
    this.taskCounts.push({ atMs: performance.now(), ...counts });
  }

  #measure(
    task: Task,
    dimensions: Readonly<Record<string, string>>,
    { Cpu = 1024, Memory = 512 }: { readonly Cpu?: number | string; readonly Memory?: number | string },
  ): void {
    const { cpuSeconds, memoryBytes } = task.usage;
    const atMs = performance.now();
    const before = this.#cpu.get(task.id);
    this.#cpu.set(task.id, { atMs, seconds: cpuSeconds });
    this.#put(
      'AWS/ECS',
      'MemoryUtilization',
      dimensions,
      (100 * memoryBytes) / (Number(Memory) * 1024 * 1024),
    );
    if (!before || atMs - before.atMs < 100) return;
    const used = (cpuSeconds - before.seconds) / ((atMs - before.atMs) / 1000);
    this.#put('AWS/ECS', 'CPUUtilization', dimensions, (100 * used) / (Number(Cpu) / 1024));
  }

  /** Counts the lines that metric filters look for. */
  #readLogs(): void {
    const filters = this.#stage.deployed.all('AWS::Logs::MetricFilter');
    for (const version of this.#stage.deployed.services) {
      const groups = version.taskDefinition.ContainerDefinitions.map(
        (it) => it.LogConfiguration?.Options?.['awslogs-group'],
      );
      const mine = filters.filter(({ properties }) => groups.includes(properties.LogGroupName));
      if (mine.length === 0) continue;
      const lines = this.#linesOf(
        this.#stage.services.get(version.arn)?.tasks.members.map((it) => it.task) ?? [],
      );
      for (const { properties } of mine) {
        this.#filters.count(properties, lines, (namespace, name, value) =>
          this.#put(namespace, name, {}, value),
        );
      }
    }
  }

  #linesOf(tasks: readonly Task[]): string[] {
    return tasks.flatMap((task) =>
      task.containers.flatMap(({ log }) => {
        const tail = this.#taskLogs.get(log) ?? new LogTail(log);
        this.#taskLogs.set(log, tail);
        // podman writes the time, the stream, and F for a whole line in front.
        return tail.lines().map((it) => it.replace(/^\S+ std(?:out|err) [FP] /, ''));
      }),
    );
  }

  #lookAtCertificates(): void {
    const { certificateArn, pem } = this.#stage.presented;
    if (!pem) return;
    const days = (new X509Certificate(pem).validToDate.getTime() - Date.now()) / 86_400_000;
    this.#put('AWS/CertificateManager', 'DaysToExpiry', { CertificateArn: certificateArn }, Math.floor(days));
  }
}
