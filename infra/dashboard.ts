import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { CallQueries } from './call-queries.ts';
import { PromQlGraph } from './promql-graph.ts';
import type { ServiceMetrics } from './service-metrics.ts';

/** What the dashboard shows. */
export interface DashboardProps {
  readonly metrics: ServiceMetrics;
  /**
   * Where the service's own metrics are.
   * @default they are nowhere, and not shown
   */
  readonly queries?: CallQueries;
  /** At the top: what is wrong now. */
  readonly alarms: readonly cloudwatch.IAlarm[];
  /** At the bottom: the latest failed calls. */
  readonly logGroup: logs.ILogGroup;
  /**
   * What the service needs, such as a table: a graph of a third of the width.
   * @default none
   */
  readonly store?: cloudwatch.IWidget;
}

/** A third of a dashboard's width. */
export const third = { width: 8, height: 6 };

/** What a person on call opens first: what is wrong, for whom, since when, and the calls that failed. */
export class Dashboard extends Construct {
  readonly dashboard: cloudwatch.Dashboard;

  constructor(scope: Construct, id: string, { metrics, queries, alarms, logGroup, store }: DashboardProps) {
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
          graph('Failures in five minutes', [metrics.failedCalls, metrics.serverErrors], [metrics.errorRate]),
          graph(
            'Seconds to the first byte',
            ['p50', 'p90', 'p99'].map((at) => metrics.latency(at)),
          ),
        ],
        [
          graph('Tasks', [metrics.healthyTasks, metrics.unhealthyTasks]),
          graph('CPU and memory', [metrics.cpu, metrics.memory]),
          ...(metrics.certificateDays
            ? [graph('Days until the certificate ends', [metrics.certificateDays])]
            : []),
        ],
        [
          ...(store ? [store] : []),
          new cloudwatch.LogQueryWidget({
            title: 'Latest failed calls',
            logGroupNames: [logGroup.logGroupName],
            queryLines: [
              'fields @timestamp, code, method, requestId, error, msg',
              'filter level >= 50 or fault = 1',
              'sort @timestamp desc',
              'limit 20',
            ],
            width: store ? 16 : 24,
            height: 6,
          }),
        ],
        ...(queries ? callGraphs(queries) : []),
      ],
    });
  }

  /** Where to open it. */
  url(region: string): string {
    const { dashboardName } = this.dashboard;
    return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards:name=${dashboardName}`;
  }
}

/** Row by row: what calls do, why they fail, what holds them up, what runs out. */
function callGraphs(queries: CallQueries): cloudwatch.IWidget[][] {
  const graph = (title: string, asked: Record<string, string>) =>
    new PromQlGraph({ title, queries: asked, ...third });
  const [retries, throttles] = queries.storeRetries;
  return [
    [
      graph('Calls a second, by method', { calls: queries.calls }),
      graph('Failures a second, by code', { failures: queries.failures }),
      graph('Seconds of a call, by method', {
        p50: queries.duration(0.5),
        p99: queries.duration(0.99),
      }),
    ],
    [
      graph('Part of the deadlines that are missed', { missed: queries.missedDeadlines }),
      graph('Refusals a second, by reason', { refusals: queries.refusals() }),
      graph('Calls under way, and passwords that wait', {
        calls: queries.total('rpc.server.active_calls'),
        passwords: queries.total('users.passwords.queued'),
      }),
    ],
    [
      graph('Seconds of an operation of the store', {
        p50: queries.storeDuration(0.5),
        p99: queries.storeDuration(0.99),
      }),
      graph('Retries and throttles of the store, a second', { retries, throttles }),
      graph('Event loop: seconds of delay, and of garbage collection a second', {
        delay: queries.most('nodejs.eventloop.delay.p99'),
        gc: queries.garbageCollection,
      }),
    ],
    [
      graph('Heap, as part of its limit', { heap: queries.heap }),
      graph('Connections, and bytes that calls hold', {
        connections: queries.total('server.connections'),
        held: queries.most('server.memory.held'),
      }),
      graph('Ready: 1, or 0', { ready: queries.ready }),
    ],
  ];
}
