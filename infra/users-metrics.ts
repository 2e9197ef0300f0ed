import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { GrpcService } from './grpc-service.ts';
import { nameIndex } from './users-table.ts';

/** What is measured. */
export interface UsersMetricsProps {
  readonly service: GrpcService;
  readonly table: dynamodb.TableV2;
}

const fiveMinutes = Duration.minutes(5);
const minute = Duration.minutes(1);

/** Fewer errors than this in a minute are no rate of errors. */
export const leastErrors = 3;

/**
 * The figures that the alarms watch and the dashboard shows.
 *
 * A load balancer sees HTTP: a gRPC call that fails has status 200 and its code in the trailers. So failed calls are
 * counted from the log of the service, where the line of a call says `fault` if the server is to blame.
 */
export class UsersMetrics extends Construct {
  /** Calls a minute, by the load balancer's count: of every protocol. */
  readonly requests: cloudwatch.Metric;
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
  /** Reads and writes that DynamoDB refused in a minute, of the table and of its index. */
  readonly throttles: cloudwatch.MathExpression;
  /** Days until the certificate ends. */
  readonly certificateDays: cloudwatch.Metric;

  readonly #props: UsersMetricsProps;

  constructor(scope: Construct, id: string, props: UsersMetricsProps) {
    super(scope, id);
    this.#props = props;
    const { service, table } = props;
    const { metrics } = service.loadBalancer;
    this.requests = metrics.requestCount({ period: minute, statistic: 'Sum', label: 'calls' });
    const sum = { period: fiveMinutes, statistic: 'Sum' };
    const ofMinute = { ...sum, period: minute };
    const faults = new logs.MetricFilter(this, 'FailedCalls', {
      logGroup: service.logGroup,
      metricNamespace: service.node.path,
      metricName: 'FailedCalls',
      filterPattern: logs.FilterPattern.booleanValue('$.fault', true),
      metricValue: '1',
      defaultValue: 0,
    });
    this.failedCalls = faults.metric({ ...sum, label: 'failed calls' });
    const ofBalancer = this.#ownErrors('', sum);
    this.serverErrors = new cloudwatch.MathExpression({
      label: 'errors of the load balancer',
      expression: filledSum(ofBalancer),
      usingMetrics: ofBalancer,
      period: fiveMinutes,
    });
    const inMinute = { ...this.#ownErrors('InMinute', ofMinute), faults: faults.metric(ofMinute) };
    const errors = new cloudwatch.MathExpression({
      expression: filledSum(inMinute),
      usingMetrics: inMinute,
      period: minute,
    });
    this.errorRate = new cloudwatch.MathExpression({
      label: '% of the calls fail',
      // The load balancer does not count requests for which there is no task.
      expression: `IF(errors >= ${leastErrors}, 100 * errors / MAX([errors, FILL(calls, 0)]), 0)`,
      usingMetrics: { errors, calls: metrics.requestCount(ofMinute) },
      period: minute,
    });
    const { groups, pairs } = service.targets;
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
    const ofTable = { period: minute, statistic: 'Sum' };
    const ofIndex = {
      ...ofTable,
      dimensionsMap: { TableName: table.tableName, GlobalSecondaryIndexName: nameIndex },
    };
    const throttles = {
      reads: table.metric('ReadThrottleEvents', ofTable),
      writes: table.metric('WriteThrottleEvents', ofTable),
      // The table's own do not count them.
      indexReads: table.metric('ReadThrottleEvents', ofIndex),
      indexWrites: table.metric('WriteThrottleEvents', ofIndex),
    };
    this.throttles = new cloudwatch.MathExpression({
      label: 'throttled',
      expression: filledSum(throttles),
      usingMetrics: throttles,
      period: minute,
    });
    this.certificateDays = service.certificate.metricDaysToExpiry({ label: 'days left' });
  }

  /** The time to a call's first byte, in seconds, at a percentile such as `p99`, over five minutes. */
  latency(percentile: string): cloudwatch.Metric {
    const { metrics } = this.#props.service.loadBalancer;
    return metrics.targetResponseTime({ period: fiveMinutes, statistic: percentile, label: percentile });
  }

  /** Average and worst latency of a DynamoDB operation, in milliseconds. */
  tableLatency(operation: string, statistic: string): cloudwatch.Metric {
    const { tableName } = this.#props.table;
    return new cloudwatch.Metric({
      namespace: 'AWS/DynamoDB',
      metricName: 'SuccessfulRequestLatency',
      dimensionsMap: { TableName: tableName, Operation: operation },
      statistic,
      period: fiveMinutes,
      label: `${operation} ${statistic}`,
    });
  }

  /** Errors of the load balancer itself, by an id that ends so. */
  #ownErrors(suffix: string, over: cloudwatch.MetricOptions): Record<string, cloudwatch.Metric> {
    const { metrics } = this.#props.service.loadBalancer;
    const { ELB_502_COUNT, ELB_503_COUNT, ELB_504_COUNT } = elbv2.HttpCodeElb;
    return {
      [`badGateway${suffix}`]: metrics.httpCodeElb(ELB_502_COUNT, over),
      [`unavailable${suffix}`]: metrics.httpCodeElb(ELB_503_COUNT, over),
      [`timeout${suffix}`]: metrics.httpCodeElb(ELB_504_COUNT, over),
    };
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
    const { loadBalancer } = this.#props.service;
    const usingMetrics = Object.fromEntries(
      groups.map((group, index) => [
        `${label}${index}`,
        new cloudwatch.Metric({
          namespace: 'AWS/ApplicationELB',
          metricName,
          dimensionsMap: {
            TargetGroup: group.targetGroupFullName,
            LoadBalancer: loadBalancer.loadBalancerFullName,
          },
          statistic: metricName === 'HealthyHostCount' ? 'Minimum' : 'Maximum',
          period: minute,
        }),
      ]),
    );
    const expression = `${fold}([${Object.keys(usingMetrics).join(', ')}])`;
    return new cloudwatch.MathExpression({ label, expression, usingMetrics, period: minute });
  }
}

/** The sum of metrics that have data only where there is something to count. */
function filledSum(metrics: Readonly<Record<string, unknown>>): string {
  return Object.keys(metrics)
    .map((id) => `FILL(${id}, 0)`)
    .join(' + ');
}
