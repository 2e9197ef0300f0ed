import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct, IDependable } from 'constructs';
import { AlarmSet, type AlarmSetProps, type Threshold } from './alarm-set.ts';
import { CallAlarms } from './call-alarms.ts';
import type { CallQueries } from './call-queries.ts';
import type { ServiceMetrics } from './service-metrics.ts';

/** What is watched, and who hears of it. */
export interface AlarmsProps extends AlarmSetProps {
  /** The figures to watch. */
  readonly metrics: ServiceMetrics;
  /** Whose figures they are. */
  readonly service: IDependable;
  /** Tasks that always run. */
  readonly minTasks: number;
  /**
   * Where the service's own metrics are, which are watched too.
   * @default they are nowhere
   */
  readonly queries?: CallQueries;
  /** The name of the alarm that brings an old version back; no other of the account and region has it. */
  readonly rollBackName: string;
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

/** Goes off when a certificate was not renewed in time. */
export function certificateExpiry(days: cloudwatch.IMetric): Threshold {
  return {
    metric: days,
    below: 30,
    periods: 1,
    description: 'The certificate ends in under 30 days and was not renewed. See the log of the function.',
  };
}

/** Errors of a load balancer itself. */
export function balancerErrors(errors: cloudwatch.IMetric): Threshold {
  return {
    metric: errors,
    above: 5,
    periods: 2,
    outOf: 3,
    description: 'HTTP 502, 503 or 504 from the load balancer: tasks are gone, silent, or close connections.',
  };
}

function refusedConnections({ serverErrors }: ServiceMetrics): Threshold {
  return {
    ...balancerErrors(serverErrors),
    description: 'Tasks refuse connections of the load balancer: they are gone, or full. See their log.',
  };
}

/** Whatever of a service needs a person: each alarm says what it means and where to look. */
export class Alarms extends AlarmSet {
  /** Goes off when a deployment breaks calls: it brings the old version back. */
  readonly rollBack: cloudwatch.Alarm;
  /** Its name: given, so that the service can refer to it without a circle of references. */
  readonly rollBackName: string;

  constructor(
    scope: Construct,
    id: string,
    { metrics, queries, service, minTasks, rollBackName, topic }: AlarmsProps,
  ) {
    super(scope, id, { topic });
    this.rollBackName = rollBackName;
    this.rollBack = this.add('RollBack', {
      alarmName: this.rollBackName,
      metric: metrics.errorRate,
      above: rollBackAbovePercent,
      periods: rollBackPeriods.minutes,
      outOf: rollBackPeriods.outOfMinutes,
      description:
        'One call in a hundred fails through the service. A deployment under way is rolled back. See "fault" in the log.',
    });
    this.add(
      'ServerErrors',
      metrics.isShared ? refusedConnections(metrics) : balancerErrors(metrics.serverErrors),
    );
    this.add('FailedCalls', {
      metric: metrics.failedCalls,
      above: 5,
      periods: 2,
      outOf: 3,
      description: 'Calls fail through a fault of the server. See "fault" and "err" in the log.',
    });
    this.add('UnhealthyTasks', {
      metric: metrics.unhealthyTasks,
      above: 0,
      periods: 3,
      outOf: 5,
      description: 'A task fails its health checks for three minutes. See the events of the ECS service.',
    });
    const tooFew = this.add('TooFewTasks', {
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
    this.add('SlowCalls', {
      metric: metrics.latency('p99'),
      above: 1,
      periods: 3,
      description:
        'One call in a hundred waits over a second for its first byte. See CPU and DynamoDB latency.',
    });
    this.add('BusyCpu', {
      metric: metrics.cpu,
      above: 85,
      periods: 3,
      description: 'CPU over 85 % for fifteen minutes: scaling has reached maxTasks, or does not keep up.',
    });
    if (metrics.certificateDays) this.add('CertificateExpiry', certificateExpiry(metrics.certificateDays));
    if (queries) this.all.push(...new CallAlarms(this, 'Calls', { queries, action: this.action }).all);
  }
}
