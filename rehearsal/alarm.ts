import type { AlarmProperties } from './template.ts';

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';

/** When an alarm goes off: M of N data points beyond a threshold. */
export interface AlarmRule {
  readonly comparison: string;
  readonly threshold: number;
  /** N. */
  readonly evaluationPeriods: number;
  /** M. */
  readonly datapointsToAlarm: number;
  /** What a data point that is missing counts as. */
  readonly missing: 'missing' | 'ignore' | 'breaching' | 'notBreaching';
}

/** A data point; undefined where one is missing. */
export type Point = number | undefined;

/** CloudWatch looks at more data points than it evaluates; it does not say at how many. */
export const extraPoints = 2;

const comparisons: Readonly<Record<string, (value: number, threshold: number) => boolean>> = {
  GreaterThanThreshold: (value, threshold) => value > threshold,
  GreaterThanOrEqualToThreshold: (value, threshold) => value >= threshold,
  LessThanThreshold: (value, threshold) => value < threshold,
  LessThanOrEqualToThreshold: (value, threshold) => value <= threshold,
};

/**
 * What CloudWatch makes of the data points of an alarm's evaluation range, oldest first.
 *
 * With at least N real ones, the latest N of them count, and how missing ones are treated does not matter. With fewer,
 * missing ones are filled in, as few as are needed. `missing` and `ignore` leave them out; then so many data points
 * must breach as there are, M at the most, and with `ignore` an alarm that would go off for that reason stays as it
 * was.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, and its two tables,
 *   which test/rehearsal/alarm.test.ts has
 */
export function evaluate(rule: AlarmRule, range: readonly Point[], before: AlarmState): AlarmState {
  const { comparison, threshold, evaluationPeriods, datapointsToAlarm, missing } = rule;
  const compare = comparisons[comparison];
  if (!compare) throw new Error(`a rehearsal has no comparison ${comparison}`);
  const real = range.filter((it) => it !== undefined);
  const latest = real.slice(-evaluationPeriods);
  const breaching = latest.filter((it) => compare(it, threshold)).length;
  const lacking = evaluationPeriods - latest.length;
  if (lacking === 0) return breaching >= datapointsToAlarm ? 'ALARM' : 'OK';
  if (missing === 'notBreaching') return breaching >= datapointsToAlarm ? 'ALARM' : 'OK';
  if (missing === 'breaching') return breaching + lacking >= datapointsToAlarm ? 'ALARM' : 'OK';
  if (latest.length === 0) return missing === 'missing' ? 'INSUFFICIENT_DATA' : before;
  if (breaching >= datapointsToAlarm) return 'ALARM';
  if (breaching < latest.length) return 'OK';
  return missing === 'missing' ? 'ALARM' : before;
}

/** Reads when an alarm of a template goes off. */
export function ruleOf(alarm: AlarmProperties): AlarmRule {
  const evaluationPeriods = Number(alarm.EvaluationPeriods ?? 1);
  const given = alarm.TreatMissingData ?? 'missing';
  // Alarms on metrics of DynamoDB ignore missing data, whatever they say (PutMetricAlarm, TreatMissingData).
  const isDynamo = alarm.Namespace === 'AWS/DynamoDB';
  const missing =
    !isDynamo && (given === 'breaching' || given === 'notBreaching' || given === 'missing')
      ? given
      : 'ignore';
  return {
    comparison: alarm.ComparisonOperator ?? '',
    threshold: Number(alarm.Threshold ?? 0),
    evaluationPeriods,
    datapointsToAlarm: Number(alarm.DatapointsToAlarm ?? evaluationPeriods),
    missing,
  };
}
