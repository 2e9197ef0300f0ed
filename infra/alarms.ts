import { Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { CallAlarms } from './call-alarms.ts';
import type { CallQueries } from './call-queries.ts';
import type { UsersMetrics } from './users-metrics.ts';

/** What is watched, and who hears of it. */
export interface AlarmsProps {
  /** The figures to watch. */
  readonly metrics: UsersMetrics;
  /**
   * Where the service's own metrics are, which are watched too.
   * @default they are nowhere
   */
  readonly queries?: CallQueries;
  /**
   * The SNS topic (ARN) that alarms and their end are sent to.
   * @default none: alarms show in CloudWatch and on the dashboard only
   */
  readonly topicArn?: string;
}

/** What an alarm goes off at. */
interface Threshold {
  readonly alarmName?: string;
  readonly metric: cloudwatch.IMetric;
  readonly above?: number;
  readonly below?: number;
  /** How many periods in a row, or, of how many. */
  readonly periods: number;
  readonly outOf?: number;
  /** For whom it wakes: what it means, and what to look at first. */
  readonly description: string;
}

/** Whatever needs a person: each alarm says what it means and where to look. */
export class Alarms extends Construct {
  /** Every alarm, for the dashboard. */
  readonly all: cloudwatch.IAlarm[] = [];
  /** Goes off when a deployment breaks calls: it brings the old version back. */
  readonly serverErrors: cloudwatch.Alarm;
  /** Its name: given, so that the service can refer to it without a circle of references. */
  readonly serverErrorsName: string;

  readonly #action?: SnsAction;

  constructor(scope: Construct, id: string, { metrics, queries, topicArn }: AlarmsProps) {
    super(scope, id);
    if (topicArn) this.#action = new SnsAction(sns.Topic.fromTopicArn(this, 'Topic', topicArn));
    this.serverErrorsName = `${Stack.of(this).stackName}-server-errors`;
    this.serverErrors = this.#alarm('ServerErrors', {
      alarmName: this.serverErrorsName,
      metric: metrics.serverErrors,
      above: 5,
      periods: 2,
      outOf: 3,
      description:
        'HTTP 502, 503 or 504 from the load balancer, or calls that fail through a fault: see "fault" in the log of the tasks.',
    });
    this.#alarm('FailedCalls', {
      metric: metrics.failedCalls,
      above: 5,
      periods: 2,
      outOf: 3,
      description: 'Calls fail through a fault of the server. See "fault" and "err" in the log.',
    });
    this.#alarm('UnhealthyTasks', {
      metric: metrics.unhealthyTasks,
      above: 0,
      periods: 3,
      description: 'A task fails its health checks for three minutes. See the events of the ECS service.',
    });
    this.#alarm('SlowCalls', {
      metric: metrics.latency('p99'),
      above: 1,
      periods: 3,
      description:
        'One call in a hundred waits over a second for its first byte. See CPU and DynamoDB latency.',
    });
    this.#alarm('BusyCpu', {
      metric: metrics.cpu,
      above: 85,
      periods: 3,
      description: 'CPU over 85 % for fifteen minutes: scaling has reached maxTasks, or does not keep up.',
    });
    this.#alarm('ThrottledTable', {
      metric: metrics.throttles,
      above: 0,
      periods: 3,
      outOf: 5,
      description: 'DynamoDB refuses requests: a hot key, or growth faster than on-demand capacity follows.',
    });
    this.#alarm('CertificateExpiry', {
      metric: metrics.certificateDays,
      below: 30,
      periods: 1,
      description: 'The certificate ends in under 30 days and was not renewed. See the log of the function.',
    });
    if (queries) this.all.push(...new CallAlarms(this, 'Calls', { queries, action: this.#action }).all);
  }

  #alarm(
    id: string,
    { alarmName, metric, above, below, periods, outOf, description }: Threshold,
  ): cloudwatch.Alarm {
    const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
    const alarm = new cloudwatch.Alarm(this, id, {
      alarmName,
      metric,
      threshold: above ?? below ?? 0,
      comparisonOperator: above === undefined ? LESS_THAN_THRESHOLD : GREATER_THAN_THRESHOLD,
      evaluationPeriods: outOf ?? periods,
      datapointsToAlarm: periods,
      alarmDescription: description,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    if (this.#action) {
      alarm.addAlarmAction(this.#action);
      alarm.addOkAction(this.#action);
    }
    this.all.push(alarm);
    return alarm;
  }
}
