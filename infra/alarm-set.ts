import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';

/** Who hears of alarms. */
export interface AlarmSetProps {
  /**
   * The topic that alarms and their end are sent to.
   * @default none: alarms show in CloudWatch and on the dashboard only
   */
  readonly topic?: sns.ITopic;
}

/** What an alarm goes off at. */
export interface Threshold {
  /**
   * Its name, for what can not refer to it.
   * @default one that CloudFormation makes up
   */
  readonly alarmName?: string;
  readonly metric: cloudwatch.IMetric;
  /** It goes off above this, or `below` that: one of the two. */
  readonly above?: number;
  readonly below?: number;
  /** How many periods it takes, in a row, or, of how many. */
  readonly periods: number;
  readonly outOf?: number;
  /**
   * What a period without data is.
   * @default none that the alarm goes off for
   */
  readonly missing?: cloudwatch.TreatMissingData;
  /** For whom it wakes: what it means, and what to look at first. */
  readonly description: string;
}

/** Alarms that the same people hear of. */
export class AlarmSet extends Construct {
  /** Every alarm, for the dashboard. */
  readonly all: cloudwatch.IAlarm[] = [];
  /** What alarms do when they go off and when they end. */
  protected readonly action?: cloudwatch.IAlarmAction;

  constructor(scope: Construct, id: string, { topic }: AlarmSetProps) {
    super(scope, id);
    if (topic) this.action = new SnsAction(topic);
  }

  /** Adds an alarm. */
  add(id: string, { above, below, periods, outOf, missing, ...threshold }: Threshold): cloudwatch.Alarm {
    const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
    const alarm = new cloudwatch.Alarm(this, id, {
      alarmName: threshold.alarmName,
      metric: threshold.metric,
      threshold: above ?? below ?? 0,
      comparisonOperator: above === undefined ? LESS_THAN_THRESHOLD : GREATER_THAN_THRESHOLD,
      evaluationPeriods: outOf ?? periods,
      datapointsToAlarm: periods,
      alarmDescription: threshold.description,
      treatMissingData: missing ?? cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    if (this.action) {
      alarm.addAlarmAction(this.action);
      alarm.addOkAction(this.action);
    }
    this.all.push(alarm);
    return alarm;
  }
}
