import { type AlarmState, evaluate, extraPoints, type Point, ruleOf } from './alarm.ts';
import type { Deployed } from './deployed.ts';
import type { Journal } from './journal.ts';
import { calculate, type Series } from './metric-math.ts';
import type { Metrics } from './metrics.ts';
import type { AlarmProperties, MetricQueryProperties, MetricStatProperties } from './template.ts';

/** Metrics of a minute are there after the next one, as a rule. What is evaluated before lacks them. */
const lateMinutes = 1;

/** An alarm as it is. */
export interface Alarm {
  readonly name: string;
  readonly state: AlarmState;
  /** The data points that it was last evaluated on, oldest first. */
  readonly range: readonly Point[];
}

/** The alarms of a stack, evaluated each minute on the metrics of the run. */
export class Alarms {
  /** What changed: on the clock of `performance.now()`. */
  readonly changes: { readonly atMs: number; readonly name: string; readonly state: AlarmState }[] = [];

  readonly #metrics: Metrics;
  readonly #journal: Journal;
  #alarms = new Map<string, Alarm & { properties: AlarmProperties }>();

  constructor(metrics: Metrics, journal: Journal) {
    this.#metrics = metrics;
    this.#journal = journal;
  }

  /** Takes over what is deployed now. An alarm that was there keeps its state. */
  configure(deployed: Deployed): void {
    const former = this.#alarms;
    this.#alarms = new Map();
    for (const { id: name, properties } of deployed.all('AWS::CloudWatch::Alarm')) {
      if (properties.EvaluationPeriods === undefined) {
        this.#journal.leaveOut(`the alarm ${name}, which asks in PromQL`);
        continue;
      }
      const { state = 'INSUFFICIENT_DATA', range = [] } = former.get(name) ?? {};
      this.#alarms.set(name, { name, state, range, properties });
    }
  }

  get all(): readonly Alarm[] {
    return [...this.#alarms.values()];
  }

  firing(names: readonly string[]): string | undefined {
    return names.find((it) => this.#alarms.get(it)?.state === 'ALARM');
  }

  /** Whether none of these alarms is on, nor has a data point beyond its threshold that it may go off by yet. */
  areCalm(names: readonly string[]): boolean {
    return names.every((name) => {
      const { state, range = [], properties } = this.#alarms.get(name) ?? {};
      if (!properties) return true;
      const single = { ...ruleOf(properties), evaluationPeriods: range.length, datapointsToAlarm: 1 };
      return state !== 'ALARM' && evaluate({ ...single, missing: 'notBreaching' }, range, 'OK') !== 'ALARM';
    });
  }

  /** How long ECS watches these alarms after a rolling deployment, in minutes: as long as one needs to go off. */
  bakeMinutes(names: readonly string[]): number {
    const minutes = names.map((name) => {
      const { properties } = this.#alarms.get(name) ?? {};
      return properties ? (periodSeconds(properties) / 60) * Number(properties.EvaluationPeriods) : 0;
    });
    return Math.max(0, ...minutes) + (minutes.length > 0 ? lateMinutes : 0);
  }

  /** Evaluates all of them at the end of a minute. */
  evaluate(minute: number): void {
    for (const alarm of this.#alarms.values()) {
      const rule = ruleOf(alarm.properties);
      const range = this.#range(alarm.properties, rule.evaluationPeriods + extraPoints, minute + 1);
      const state = evaluate(rule, range, alarm.state);
      this.#alarms.set(alarm.name, { ...alarm, state, range });
      if (state === alarm.state) continue;
      this.changes.push({ atMs: performance.now(), name: alarm.name, state });
      const shown = range.map((it) => (it === undefined ? '-' : Number(it.toFixed(2)))).join(' ');
      if (state === 'ALARM' || alarm.state === 'ALARM') {
        this.#journal.say(`alarm ${alarm.name}: ${alarm.state} → ${state} (${shown})`);
      }
    }
  }

  /** The data points of an alarm, the last of which ends with the minute before `endMinute`. */
  #range(alarm: AlarmProperties, count: number, endMinute: number): readonly Point[] {
    const seconds = periodSeconds(alarm);
    const series = new Map<string, Series>();
    const queries = alarm.Metrics ?? [];
    for (const query of queries) {
      if (query.MetricStat) series.set(query.Id, this.#points(query.MetricStat, seconds, count, endMinute));
    }
    if (queries.length === 0) {
      const { Namespace, MetricName, Dimensions } = alarm;
      const Stat = alarm.Statistic ?? alarm.ExtendedStatistic ?? 'Average';
      const Metric = { Namespace, MetricName, Dimensions };
      return this.#points({ Metric, Period: seconds, Stat }, seconds, count, endMinute);
    }
    const shown = queries.find(isReturned);
    if (!shown) throw new Error('an alarm has no metric that counts');
    return this.#result(shown, queries, series, seconds);
  }

  /** Expressions may name each other. */
  #result(
    query: MetricQueryProperties,
    queries: readonly MetricQueryProperties[],
    series: Map<string, Series>,
    seconds: number,
  ): Series {
    const known = series.get(query.Id);
    if (known) return known;
    for (const other of queries) {
      if (other.Id !== query.Id && RegExp(`\\b${other.Id}\\b`).test(query.Expression ?? '')) {
        this.#result(other, queries, series, seconds);
      }
    }
    const result = calculate(query.Expression ?? '', series, seconds);
    series.set(query.Id, result);
    return result;
  }

  #points({ Metric, Stat }: MetricStatProperties, seconds: number, count: number, endMinute: number): Series {
    const { Namespace = '', MetricName = '', Dimensions = [] } = Metric;
    const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]));
    const minutes = Math.max(1, seconds / 60);
    return Array.from({ length: count }, (_, index) => {
      const to = endMinute - (count - 1 - index) * minutes;
      // What has not come yet can't be evaluated.
      const arrived = Math.min(to, endMinute - lateMinutes);
      return this.#metrics.statistic(Namespace, MetricName, dimensions, Stat, to - minutes, arrived);
    });
  }
}

function isReturned({ ReturnData }: MetricQueryProperties): boolean {
  return ReturnData === undefined || String(ReturnData) === 'true';
}

function periodSeconds(alarm: AlarmProperties): number {
  const periods = alarm.Metrics?.map((it) => Number(it.MetricStat?.Period ?? it.Period ?? 0)) ?? [];
  return Math.max(Number(alarm.Period ?? 0), ...periods) || 60;
}
