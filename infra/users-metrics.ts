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
   * Errors in five minutes: HTTP 502, 503 and 504 of the load balancer itself (no task, or one that closed or is
   * silent), and calls that failed through a fault of the server. Not what clients can ask for: HTTP 5xx of the tasks,
   * with a deadline of 1 ms for example, and 501 of the load balancer, with a transfer encoding that it does not know.
   * Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
   */
  readonly serverErrors: cloudwatch.MathExpression;
  /** Calls in five minutes that failed through a fault of the server. */
  readonly failedCalls: cloudwatch.Metric;
  /** Tasks that health checks fail on, in any target group. */
  readonly unhealthyTasks: cloudwatch.MathExpression;
  /** Tasks that calls go to. */
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
    this.failedCalls = new logs.MetricFilter(this, 'FailedCalls', {
      logGroup: service.logGroup,
      metricNamespace: service.node.path,
      metricName: 'FailedCalls',
      filterPattern: logs.FilterPattern.booleanValue('$.fault', true),
      metricValue: '1',
      defaultValue: 0,
    }).metric({ ...sum, label: 'failed calls' });
    this.serverErrors = new cloudwatch.MathExpression({
      label: 'errors',
      expression: 'FILL(badGateway, 0) + FILL(unavailable, 0) + FILL(timeout, 0) + FILL(calls, 0)',
      usingMetrics: {
        badGateway: metrics.httpCodeElb(elbv2.HttpCodeElb.ELB_502_COUNT, sum),
        unavailable: metrics.httpCodeElb(elbv2.HttpCodeElb.ELB_503_COUNT, sum),
        timeout: metrics.httpCodeElb(elbv2.HttpCodeElb.ELB_504_COUNT, sum),
        calls: this.failedCalls,
      },
      period: fiveMinutes,
    });
    this.unhealthyTasks = this.#hosts('UnHealthyHostCount', service.targets.groups, 'unhealthy');
    this.healthyTasks = this.#hosts('HealthyHostCount', service.targets.grpcGroups, 'healthy');
    this.cpu = service.service.metricCpuUtilization({ period: fiveMinutes, label: 'CPU %' });
    this.memory = service.service.metricMemoryUtilization({ period: fiveMinutes, label: 'memory %' });
    const ofTable = { period: minute, statistic: 'Sum' };
    const ofIndex = {
      ...ofTable,
      dimensionsMap: { TableName: table.tableName, GlobalSecondaryIndexName: nameIndex },
    };
    this.throttles = new cloudwatch.MathExpression({
      label: 'throttled',
      expression: 'FILL(reads, 0) + FILL(writes, 0) + FILL(indexReads, 0) + FILL(indexWrites, 0)',
      usingMetrics: {
        reads: table.metric('ReadThrottleEvents', ofTable),
        writes: table.metric('WriteThrottleEvents', ofTable),
        // The table's own do not count them.
        indexReads: table.metric('ReadThrottleEvents', ofIndex),
        indexWrites: table.metric('WriteThrottleEvents', ofIndex),
      },
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

  #hosts(
    metricName: string,
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
          statistic: 'Maximum',
          period: minute,
        }),
      ]),
    );
    const expression = Object.keys(usingMetrics)
      .map((name) => `FILL(${name}, 0)`)
      .join(' + ');
    return new cloudwatch.MathExpression({ label, expression, usingMetrics, period: minute });
  }
}
