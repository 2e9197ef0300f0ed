import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { loadBalancerName } from './front.ts';
import type { GrpcService } from './grpc-service.ts';

/** What is measured. */
export interface ServiceMetricsProps {
  readonly service: GrpcService;
  /**
   * The lines of the log that tell of a call which failed through a fault of the server: a load balancer does not see
   * how gRPC calls end.
   * @default JSON whose `fault` is true
   */
  readonly faultPattern?: logs.IFilterPattern;
}

const fiveMinutes = Duration.minutes(5);
const minute = Duration.minutes(1);

/** Fewer errors than this in a minute are no rate of errors. */
export const leastErrors = 3;

/**
 * The figures that the alarms of a service watch and its dashboard shows.
 *
 * A load balancer sees HTTP: a gRPC call that fails has status 200 and its code in the trailers. So failed calls are
 * counted from the log of the service, where the line of a call says `fault` if the server is to blame.
 *
 * On a load balancer that services share, the figures are those of the service's own target groups. What the load
 * balancer itself answers (502, 503, 504) is counted for all services at once, so in its place stand connections that
 * tasks refused. Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
 */
export class ServiceMetrics extends Construct {
  /** Calls a minute, by the load balancer's count: of every protocol. */
  readonly requests: cloudwatch.IMetric;
  /**
   * Errors of the load balancer itself in five minutes: HTTP 502, 503 and 504 (no task, or one that closed or is
   * silent). Not what clients can ask for: HTTP 5xx of the tasks, with a deadline of 1 ms for example, and 501 of the
   * load balancer, with a transfer encoding that it does not know.
   * Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
   */
  readonly serverErrors: cloudwatch.MathExpression;
  /** Calls in five minutes that failed through a fault of the server. */
  readonly failedCalls: cloudwatch.Metric;
  /**
   * Of a hundred calls in a minute, those that failed through a fault of the server, or of the load balancer; 0 where
   * they are fewer than `leastErrors`, so that few calls, late at night, are no large part.
   */
  readonly errorRate: cloudwatch.MathExpression;
  /** Tasks that health checks fail on, in the target group where they are most. */
  readonly unhealthyTasks: cloudwatch.MathExpression;
  /** Tasks that calls of every protocol go to; no data where there is none at all. */
  readonly healthyTasks: cloudwatch.MathExpression;
  /** The service's use of its CPU, in percent, over five minutes. */
  readonly cpu: cloudwatch.Metric;
  /** The service's use of its memory, in percent. */
  readonly memory: cloudwatch.Metric;
  /** Days until the certificate ends; undefined where it is that of a shared load balancer, which looks itself. */
  readonly certificateDays?: cloudwatch.Metric;

  /** Whether the load balancer is shared, whose own figures are of all services. */
  readonly isShared: boolean;

  readonly #service: GrpcService;

  constructor(scope: Construct, id: string, { service, faultPattern }: ServiceMetricsProps) {
    super(scope, id);
    this.#service = service;
    this.isShared = service.isShared;
    const { groups, pairs } = service.targets;
    this.requests = this.#requests(minute, 'calls');
    const sum = { period: fiveMinutes, statistic: 'Sum' };
    const ofMinute = { ...sum, period: minute };
    const faults = new logs.MetricFilter(this, 'FailedCalls', {
      logGroup: service.logGroup,
      metricNamespace: service.names.join('/'),
      metricName: 'FailedCalls',
      filterPattern: faultPattern ?? logs.FilterPattern.booleanValue('$.fault', true),
      metricValue: '1',
      defaultValue: 0,
    });
    this.failedCalls = faults.metric({ ...sum, label: 'failed calls' });
    const ofBalancer = this.#unanswered('', sum);
    this.serverErrors = new cloudwatch.MathExpression({
      label: service.isShared ? 'refused connections' : 'errors of the load balancer',
      expression: filledSum(ofBalancer),
      usingMetrics: ofBalancer,
      period: fiveMinutes,
    });
    const inMinute = { ...this.#unanswered('InMinute', ofMinute), faults: faults.metric(ofMinute) };
    const errors = new cloudwatch.MathExpression({
      expression: filledSum(inMinute),
      usingMetrics: inMinute,
      period: minute,
    });
    this.errorRate = new cloudwatch.MathExpression({
      label: '% of the calls fail',
      // The load balancer does not count requests for which there is no task.
      expression: `IF(errors >= ${leastErrors}, 100 * errors / MAX([errors, FILL(calls, 0)]), 0)`,
      usingMetrics: { errors, calls: this.#requests(minute) },
      period: minute,
    });
    this.unhealthyTasks = this.#overGroups('MAX', 'UnHealthyHostCount', groups, 'unhealthy');
    this.healthyTasks = new cloudwatch.MathExpression({
      label: 'healthy',
      expression: `MIN([${pairs.map((_, index) => `pair${index}`).join(', ')}])`,
      usingMetrics: Object.fromEntries(
        // A deployment may have its tasks in both groups of a pair.
        pairs.map((pair, index) => [
          `pair${index}`,
          this.#overGroups('SUM', 'HealthyHostCount', pair, `healthy${index}x`),
        ]),
      ),
      period: minute,
    });
    this.cpu = service.service.metricCpuUtilization({ period: fiveMinutes, label: 'CPU %' });
    this.memory = service.service.metricMemoryUtilization({ period: fiveMinutes, label: 'memory %' });
    if (!service.isShared) {
      this.certificateDays = service.certificate?.metricDaysToExpiry({ label: 'days left' });
    }
  }

  /** The time to a call's first byte, in seconds, at a percentile such as `p99`, over five minutes. */
  latency(percentile: string): cloudwatch.IMetric {
    const over = { period: fiveMinutes, statistic: percentile, label: percentile };
    const { isShared, loadBalancer, targets } = this.#service;
    if (!isShared) return loadBalancer.metrics.targetResponseTime(over);
    const ofGroups = this.#ofGroups('TargetResponseTime', targets.groups, `${percentile}x`, over);
    return new cloudwatch.MathExpression({
      label: percentile,
      expression: `MAX([${Object.keys(ofGroups).join(', ')}])`,
      usingMetrics: ofGroups,
      period: fiveMinutes,
    });
  }

  #requests(period: Duration, label?: string): cloudwatch.IMetric {
    const { isShared, loadBalancer, targets } = this.#service;
    const over = { period, statistic: 'Sum' };
    if (!isShared) return loadBalancer.metrics.requestCount({ ...over, label });
    const usingMetrics = this.#ofGroups('RequestCount', targets.groups, 'requests', over);
    return new cloudwatch.MathExpression({
      label,
      expression: filledSum(usingMetrics),
      usingMetrics,
      period,
    });
  }

  /** Requests that no task answered, as far as that is known of this service alone, by an id that ends so. */
  #unanswered(suffix: string, over: cloudwatch.MetricOptions): Record<string, cloudwatch.IMetric> {
    const { isShared, loadBalancer, targets } = this.#service;
    if (isShared)
      return this.#ofGroups('TargetConnectionErrorCount', targets.groups, `refused${suffix}`, over);
    return ownErrors(loadBalancer, over, suffix);
  }

  /**
   * Hosts of target groups. Without FILL: a minute whose figures have not come yet must be missing, not one without
   * unhealthy tasks, and a group that nobody is registered in has none at all.
   */
  #overGroups(
    fold: 'MAX' | 'SUM',
    metricName: 'HealthyHostCount' | 'UnHealthyHostCount',
    groups: readonly elbv2.ApplicationTargetGroup[],
    label: string,
  ): cloudwatch.MathExpression {
    const statistic = metricName === 'HealthyHostCount' ? 'Minimum' : 'Maximum';
    const usingMetrics = this.#ofGroups(metricName, groups, label, { statistic, period: minute });
    const expression = `${fold}([${Object.keys(usingMetrics).join(', ')}])`;
    return new cloudwatch.MathExpression({ label, expression, usingMetrics, period: minute });
  }

  /** A metric of each target group, by ids that begin so. */
  #ofGroups(
    metricName: string,
    groups: readonly elbv2.ApplicationTargetGroup[],
    id: string,
    over: cloudwatch.MetricOptions,
  ): Record<string, cloudwatch.Metric> {
    const LoadBalancer = loadBalancerName(this.#service.loadBalancer);
    return Object.fromEntries(
      groups.map((group, index) => [
        `${id}${index}`,
        new cloudwatch.Metric({
          namespace: 'AWS/ApplicationELB',
          metricName,
          dimensionsMap: { TargetGroup: group.targetGroupFullName, LoadBalancer },
          ...over,
        }),
      ]),
    );
  }
}

/** Errors that a load balancer answers by itself, by an id that ends so. */
export function ownErrors(
  { metrics }: elbv2.IApplicationLoadBalancer,
  over: cloudwatch.MetricOptions,
  suffix = '',
): Record<string, cloudwatch.IMetric> {
  const { ELB_502_COUNT, ELB_503_COUNT, ELB_504_COUNT } = elbv2.HttpCodeElb;
  return {
    [`badGateway${suffix}`]: metrics.httpCodeElb(ELB_502_COUNT, over),
    [`unavailable${suffix}`]: metrics.httpCodeElb(ELB_503_COUNT, over),
    [`timeout${suffix}`]: metrics.httpCodeElb(ELB_504_COUNT, over),
  };
}

/** The sum of metrics that have data only where there is something to count. */
export function filledSum(metrics: Readonly<Record<string, unknown>>): string {
  return Object.keys(metrics)
    .map((id) => `FILL(${id}, 0)`)
    .join(' + ');
}
