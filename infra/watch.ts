import type * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { AlarmSetProps } from './alarm-set.ts';
import { Alarms } from './alarms.ts';
import { CallQueries } from './call-queries.ts';
import { Dashboard } from './dashboard.ts';
import type { GrpcService } from './grpc-service.ts';
import { ServiceMetrics } from './service-metrics.ts';

/** Which service is watched. */
export interface WatchProps extends AlarmSetProps {
  readonly service: GrpcService;
  /**
   * The lines of its log that tell of a failed call.
   * @default JSON whose `fault` is true
   */
  readonly faultPattern?: logs.IFilterPattern;
  /** Whether it sends metrics, which are watched too. */
  readonly hasTelemetry: boolean;
  /** The name of the alarm that brings an old version back. */
  readonly rollBackName: string;
}

/** What comes with any service: its figures, alarms on them, and a dashboard. */
export class Watch extends Construct {
  readonly metrics: ServiceMetrics;
  readonly alarms: Alarms;
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, { service, ...props }: WatchProps) {
    super(scope, id);
    const queries = props.hasTelemetry ? new CallQueries(service.telemetryName) : undefined;
    this.metrics = new ServiceMetrics(this, 'Metrics', { service, faultPattern: props.faultPattern });
    this.alarms = new Alarms(this, 'Alarms', {
      metrics: this.metrics,
      queries,
      service: service.service,
      minTasks: service.minTasks,
      rollBackName: props.rollBackName,
      topic: props.topic,
    });
    const { metrics, alarms } = this;
    const { logGroup } = service;
    this.dashboard = new Dashboard(this, 'Dashboard', { metrics, queries, alarms: alarms.all, logGroup });
  }
}
