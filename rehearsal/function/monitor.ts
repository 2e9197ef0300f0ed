import { setTimeout as sleep } from 'node:timers/promises';
import { Alarms } from '../alarms.ts';
import type { Journal } from '../journal.ts';
import { MetricFilters } from '../metric-filters.ts';
import { Metrics } from '../metrics.ts';
import type { TaskCount } from '../monitor.ts';
import type { FunctionHome } from './home.ts';

const lookMs = 100;

/**
 * What CloudWatch makes of a function: counts its environments, reads its log as the metric filters of the stack do,
 * and evaluates the alarms each minute.
 */
export class FunctionMonitor implements AsyncDisposable {
  readonly alarms: Alarms;
  /** Environments that run, that listen, and that get no more requests. */
  readonly taskCounts: TaskCount[] = [];
  readonly #home: FunctionHome;
  readonly #minuteMs: number;
  readonly #metrics = new Metrics();
  readonly #filters = new MetricFilters();
  readonly #beganMs = performance.now();
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #read = 0;
  #evaluated = -1;

  constructor(home: FunctionHome, minuteMs: number, journal: Journal) {
    this.#home = home;
    this.#minuteMs = minuteMs;
    this.alarms = new Alarms(this.#metrics, journal);
    this.alarms.configure(home.deployed);
    this.#running = this.#run();
  }

  /** The sum of a metric of the stack since the beginning, by the end of its name; 0 if there is none. */
  sum(metric: string): number {
    this.#readLog();
    const [properties] = this.#transformations(metric);
    if (properties === undefined) throw new Error(`the stack has no metric ${metric}`);
    const { MetricNamespace } = properties;
    return this.#metrics.statistic(MetricNamespace, metric, {}, 'Sum', 0, this.#minute + 1) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  get #minute(): number {
    return Math.floor((performance.now() - this.#beganMs) / this.#minuteMs);
  }

  #transformations(metric: string) {
    return this.#home.deployed
      .all('AWS::Logs::MetricFilter')
      .flatMap((it) => it.properties.MetricTransformations)
      .filter((it) => it.MetricName === metric);
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      this.#count();
      this.#readLog();
      for (; this.#evaluated < this.#minute - 1; this.#evaluated++) this.alarms.evaluate(this.#evaluated + 1);
      await sleep(lookMs, undefined, { signal: this.#end.signal }).catch(() => {});
    }
  }

  #count(): void {
    const { environments, endingCount: draining } = this.#home.platform;
    const healthy = [...environments].filter((it) => it.isListening).length;
    this.taskCounts.push({
      atMs: performance.now(),
      running: environments.size + draining,
      healthy,
      draining,
    });
  }

  #readLog(): void {
    const { log } = this.#home.platform;
    const lines = log.slice(this.#read);
    this.#read = log.length;
    for (const { properties } of this.#home.deployed.all('AWS::Logs::MetricFilter')) {
      this.#filters.count(properties, lines, (namespace, name, value) =>
        this.#metrics.put(namespace, name, {}, this.#minute, value),
      );
    }
  }
}
