import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { UsersMetrics } from './users-metrics.ts';

/** What the dashboard shows. */
export interface DashboardProps {
  readonly metrics: UsersMetrics;
  /** At the top: what is wrong now. */
  readonly alarms: readonly cloudwatch.IAlarm[];
  /** At the bottom: the latest failed calls. */
  readonly logGroup: logs.ILogGroup;
}

const third = { width: 8, height: 6 };

/** What a person on call opens first: what is wrong, for whom, since when, and the calls that failed. */
export class Dashboard extends Construct {
  readonly dashboard: cloudwatch.Dashboard;

  constructor(scope: Construct, id: string, { metrics, alarms, logGroup }: DashboardProps) {
    super(scope, id);
    const graph = (title: string, left: cloudwatch.IMetric[], right: cloudwatch.IMetric[] = []) =>
      new cloudwatch.GraphWidget({
        title,
        left,
        right,
        leftYAxis: { min: 0 },
        rightYAxis: { min: 0 },
        ...third,
      });
    this.dashboard = new cloudwatch.Dashboard(this, 'Dashboard', {
      widgets: [
        [new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: 24, height: 3 })],
        [
          graph('Calls a minute', [metrics.requests]),
          graph('Failures in five minutes', [metrics.failedCalls, metrics.serverErrors]),
          graph(
            'Seconds to the first byte',
            ['p50', 'p90', 'p99'].map((at) => metrics.latency(at)),
          ),
        ],
        [
          graph('Tasks', [metrics.healthyTasks, metrics.unhealthyTasks]),
          graph('CPU and memory', [metrics.cpu, metrics.memory]),
          graph('Days until the certificate ends', [metrics.certificateDays]),
        ],
        [
          graph(
            'DynamoDB: milliseconds, and refused requests',
            ['TransactWriteItems', 'BatchGetItem'].flatMap((operation) =>
              ['Average', 'Maximum'].map((statistic) => metrics.tableLatency(operation, statistic)),
            ),
            [metrics.throttles],
          ),
          new cloudwatch.LogQueryWidget({
            title: 'Latest failed calls',
            logGroupNames: [logGroup.logGroupName],
            queryLines: [
              'fields @timestamp, code, method, requestId, error, msg',
              'filter level >= 50',
              'sort @timestamp desc',
              'limit 20',
            ],
            width: 16,
            height: 6,
          }),
        ],
      ],
    });
  }

  /** Where to open it. */
  url(region: string): string {
    const { dashboardName } = this.dashboard;
    return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards:name=${dashboardName}`;
  }
}
