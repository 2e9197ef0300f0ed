import { Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct, type IDependable } from 'constructs';
import { CallAlarms } from './call-alarms.ts';
import type { CallQueries } from './call-queries.ts';
import type { UsersMetrics } from './users-metrics.ts';

/** What is watched, and who hears of it. */
export interface AlarmsProps {
  /** The figures to watch. */
  readonly metrics: UsersMetrics;
  /** Whose figures they are. */
  readonly service: IDependable;
  /** Tasks that always run. */
  readonly minTasks: number;
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
  /** How many periods it takes, in a row, or, of how many. */
  readonly periods: number;
  readonly outOf?: number;
  /** What a period without data is. Default: none that the alarm goes off for. */
  readonly missing?: cloudwatch.TreatMissingData;
  /** For whom it wakes: what it means, and what to look at first. */
  readonly description: string;
}

/**
 * What the alarm takes that brings an old version back: one-minute periods, and of five of them three. Figures of a
 * minute come one or two minutes late, and FILL makes them 0 until then, so fewer periods, or all of them, would miss
 * what happens now (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html, FILL). A
 * task that dies fails calls in two minutes at most.
 */
export const rollBackPeriods = { minutes: 3, outOfMinutes: 5 };
/** Of a hundred calls: a tenth of the calls, that a canary gets, fail in part. */
export const rollBackAbovePercent = 1;

/** Whatever needs a person: each alarm says what it means and where to look. */
export class Alarms extends Construct {
  /** Every alarm, for the dashboard. */
  readonly all: cloudwatch.IAlarm[] = [];
  /** Goes off when a deployment breaks calls: it brings the old version back. */
  readonly rollBack: cloudwatch.Alarm;
  /** Its name: given, so that the service can refer to it without a circle of references. */
  readonly rollBackName: string;

  readonly #action?: SnsAction;

  constructor(scope: Construct, id: string, { metrics, queries, service, minTasks, topicArn }: AlarmsProps) {
    super(scope, id);
    if (topicArn) this.#action = new SnsAction(sns.Topic.fromTopicArn(this, 'Topic', topicArn));
    this.rollBackName = `${Stack.of(this).stackName}-roll-back`;
    this.rollBack = this.#alarm('RollBack', {
      alarmName: this.rollBackName,
      metric: metrics.errorRate,
      above: rollBackAbovePercent,
      periods: rollBackPeriods.minutes,
      outOf: rollBackPeriods.outOfMinutes,
      description:
        'One call in a hundred fails through the service. A deployment under way is rolled back. See "fault" in the log.',
    });
    this.#alarm('ServerErrors', {
      metric: metrics.serverErrors,
      above: 5,
      periods: 2,
      outOf: 3,
      description:
        'HTTP 502, 503 or 504 from the load balancer: tasks are gone, silent, or close connections.',
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
      outOf: 5,
      description: 'A task fails its health checks for three minutes. See the events of the ECS service.',
    });
    const tooFew = this.#alarm('TooFewTasks', {
      metric: metrics.healthyTasks,
      below: minTasks,
      periods: 5,
      // Without any task there is no figure at all.
      missing: cloudwatch.TreatMissingData.BREACHING,
      description:
        'Fewer tasks than minTasks are healthy, for five minutes: new ones do not start. See the events of the ECS service.',
    });
    // Before the first tasks are there, it would go off.
    tooFew.node.addDependency(service);
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
    { alarmName, metric, above, below, periods, outOf, missing, description }: Threshold,
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
      treatMissingData: missing ?? cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    if (this.#action) {
      alarm.addAlarmAction(this.#action);
      alarm.addOkAction(this.#action);
    }
    this.all.push(alarm);
    return alarm;
  }
}
