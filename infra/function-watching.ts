import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { RpcFunction } from './rpc-function.ts';

/** What is watched, and who hears of it. */
export interface FunctionWatchingProps {
  readonly service: RpcFunction;
  readonly table: dynamodb.ITable;
  /**
   * The SNS topic (ARN) that alarms and their end are sent to.
   * @default none: alarms show in CloudWatch and on the dashboard only
   */
  readonly topicArn?: string;
}

/** An alarm: what it goes off at, in how many of how many periods, and what it means. */
interface Threshold {
  readonly metric: cloudwatch.IMetric;
  readonly above: number;
  readonly periods: number;
  readonly outOf: number;
  readonly description: string;
}

/** The line of a call has how long it took; no other line has. */
const everyCall = logs.FilterPattern.numberValue('$.ms', '>=', 0);

const fiveMinutes = Duration.minutes(5);
const third = { width: 8, height: 6 };

/**
 * Alarms and a dashboard of a function. Calls are counted from the log: a call that fails may well have HTTP status
 * 200, and a start that fails is told there alone, since a revision that can't start deploys all the same. How long
 * calls take wakes nobody: their callers choose how long streams last.
 */
export class FunctionWatching extends Construct {
  readonly alarms: cloudwatch.Alarm[] = [];
  readonly dashboard: cloudwatch.Dashboard;
  readonly #props: FunctionWatchingProps;
  readonly #action: SnsAction | undefined;

  constructor(scope: Construct, id: string, props: FunctionWatchingProps) {
    super(scope, id);
    this.#props = props;
    const { topicArn, table } = props;
    this.#action = topicArn ? new SnsAction(sns.Topic.fromTopicArn(this, 'Topic', topicArn)) : undefined;
    const failed = this.#counted('FailedCalls', logs.FilterPattern.booleanValue('$.fault', true));
    const starts = this.#counted(
      'FailedStarts',
      logs.FilterPattern.all(
        logs.FilterPattern.stringValue('$.type', '=', 'platform.initReport'),
        logs.FilterPattern.stringValue('$.record.status', '=', 'failure'),
      ),
    );
    const calls = this.#counted('Calls', everyCall);
    const latency = this.#latency();
    const throttles = new cloudwatch.MathExpression({
      label: 'throttled',
      expression: 'FILL(reads, 0) + FILL(writes, 0)',
      usingMetrics: {
        reads: table.metric('ReadThrottleEvents', { statistic: 'Sum' }),
        writes: table.metric('WriteThrottleEvents', { statistic: 'Sum' }),
      },
      period: fiveMinutes,
    });
    this.#alarm('FailedCalls', {
      metric: failed,
      above: 5,
      periods: 2,
      outOf: 3,
      description: 'Calls fail through a fault of the server. See "fault" and "err" in the log.',
    });
    this.#alarm('FailedStarts', {
      metric: starts,
      above: 0,
      periods: 1,
      outOf: 1,
      description:
        'The function can not start: deploy what ran before. See "platform.initReport" in the log.',
    });
    this.#alarm('ThrottledTable', {
      metric: throttles,
      above: 0,
      periods: 3,
      outOf: 5,
      description: 'DynamoDB refuses requests: a hot key, or growth faster than on-demand capacity follows.',
    });
    this.dashboard = this.#dashboard(calls, [failed, starts], latency, throttles);
  }

  #counted(id: string, filterPattern: logs.IFilterPattern, metricValue = '1'): cloudwatch.Metric {
    const { service } = this.#props;
    const filter = new logs.MetricFilter(this, `${id}Filter`, {
      logGroup: service.logGroup,
      metricNamespace: service.node.path,
      metricName: id,
      filterPattern,
      metricValue,
    });
    return filter.metric({ period: fiveMinutes, statistic: 'Sum', label: id });
  }

  #latency(): (percentile: string) => cloudwatch.Metric {
    const metric = this.#counted('Milliseconds', everyCall, '$.ms');
    return (percentile) => metric.with({ statistic: percentile, label: percentile });
  }

  #alarm(id: string, { metric, above, periods, outOf, description }: Threshold): void {
    const alarm = new cloudwatch.Alarm(this, id, {
      metric,
      threshold: above,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: outOf,
      datapointsToAlarm: periods,
      alarmDescription: description,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    if (this.#action) {
      alarm.addAlarmAction(this.#action);
      alarm.addOkAction(this.#action);
    }
    this.alarms.push(alarm);
  }

  #dashboard(
    calls: cloudwatch.Metric,
    failures: cloudwatch.Metric[],
    latency: (percentile: string) => cloudwatch.Metric,
    throttles: cloudwatch.IMetric,
  ): cloudwatch.Dashboard {
    const { service } = this.#props;
    const graph = (title: string, left: cloudwatch.IMetric[]) =>
      new cloudwatch.GraphWidget({ title, left, leftYAxis: { min: 0 }, ...third });
    // Whatever the platform counts for the function, by the name of its namespace.
    const search = (name: string) =>
      `SEARCH('Namespace="AWS/Lambda/Web" FunctionName="${name}"', 'Sum', 300)`;
    const platform = new cloudwatch.MathExpression({
      expression: search(service.function.webFunctionName),
      usingMetrics: {},
      label: '',
      period: fiveMinutes,
    });
    return new cloudwatch.Dashboard(this, 'Dashboard', {
      widgets: [
        [new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: this.alarms, width: 24, height: 3 })],
        [
          graph('Calls in five minutes', [calls]),
          graph('Failed calls and starts in five minutes', failures),
          graph(
            'Milliseconds of a call',
            ['p50', 'p90', 'p99'].map((it) => latency(it)),
          ),
        ],
        [
          graph('What the platform counts', [platform]),
          graph('Requests that DynamoDB refused', [throttles]),
          new cloudwatch.LogQueryWidget({
            title: 'Latest failed calls',
            logGroupNames: [service.logGroup.logGroupName],
            queryLines: [
              'fields @timestamp, code, method, requestId, error, message',
              'filter level in ["ERROR", "FATAL"]',
              'sort @timestamp desc',
              'limit 20',
            ],
            ...third,
          }),
        ],
      ],
    });
  }

  /** Where to open the dashboard. */
  get url(): string {
    const { region } = Stack.of(this);
    return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards:name=${this.dashboard.dashboardName}`;
  }
}
