import { Stack, Validations } from 'aws-cdk-lib';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { Collector, collectorEndpoint } from './collector.ts';

/**
 * The way to CloudWatch: `adot` is AWS's distribution of the OpenTelemetry collector beside each server, `otlp` the
 * endpoints of CloudWatch itself.
 */
export type TelemetryKind = 'adot' | 'otlp';

/** What is told of calls besides the log. Needs a server that takes OpenTelemetry's `OTEL_*` variables. */
export interface TelemetryOptions {
  readonly kind: TelemetryKind;
  /**
   * The part of traces that begin here which are kept, from 0 to 1. Calls that fail through a fault of the server
   * always are.
   */
  readonly traceRatio: number;
  /**
   * Whether a call that comes with a trace is a part of that, so that its client decides whether it is kept and paid
   * for, or begins one of its own that names the other.
   */
  readonly traceParents: 'follow' | 'link';
}

/** The part of traces that is kept unless somebody says otherwise. */
export const defaultTraceRatio = 0.01;

/** Whose calls are told of. */
export interface TelemetryProps extends TelemetryOptions {
  readonly taskDefinition: ecs.FargateTaskDefinition;
  /** The container that is told where to send what it knows. */
  readonly server: ecs.ContainerDefinition;
  /** As what the server is known there, `service.name`: metrics of all servers of an account lie together. */
  readonly serviceName: string;
  /** Where a collector writes. */
  readonly logGroup: logs.ILogGroup;
  /** What a container may. */
  readonly linuxParameters: ecs.LinuxParameters;
}

/**
 * Sends metrics and traces of a server to CloudWatch, and lets its tasks do that and no more.
 *
 * Metrics go to CloudWatch by OTLP either way. The collector's exporter for CloudWatch's own format (awsemf) would make
 * of a histogram its count and its sum, and lose every percentile; and there each series costs $0.30 a month, not what
 * it weighs.
 */
export class Telemetry extends Construct {
  constructor(scope: Construct, id: string, props: TelemetryProps) {
    super(scope, id);
    const { kind, server, taskDefinition } = props;
    const { region } = Stack.of(this);
    const environment = {
      OTEL_SERVICE_NAME: props.serviceName,
      OTEL_RESOURCE_ATTRIBUTES: `cloud.provider=aws,cloud.platform=aws_ecs,cloud.region=${region}`,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: String(props.traceRatio),
      TRACE_PARENTS: props.traceParents,
      ...(kind === 'adot' ? { OTEL_EXPORTER_OTLP_ENDPOINT: collectorEndpoint } : cloudWatchEndpoints(region)),
    };
    for (const [name, value] of Object.entries(environment)) server.addEnvironment(name, value);
    taskDefinition.addToTaskRolePolicy(
      new iam.PolicyStatement({ actions: [...writes[kind]], resources: ['*'] }),
    );
    Validations.of(taskDefinition).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'ecr:GetAuthorizationToken, xray:Put… and cloudwatch:PutMetricData have no resource; all else has its own.',
    });
    if (kind === 'adot') new Collector(this, 'Collector', props);
  }
}

/**
 * Each signal has a host of its own:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html.
 */
function cloudWatchEndpoints(region: string): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `https://xray.${region}.amazonaws.com/v1/traces`,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `https://monitoring.${region}.amazonaws.com/v1/metrics`,
  };
}

/**
 * What tasks may do. The collector sends X-Ray's own segments; who sends spans to the endpoint for OTLP needs the other
 * two.
 */
const writes: Readonly<Record<TelemetryKind, readonly string[]>> = {
  adot: ['xray:PutTraceSegments', 'cloudwatch:PutMetricData'],
  otlp: ['xray:PutTraceSegments', 'xray:PutSpans', 'xray:PutSpansForIndexing', 'cloudwatch:PutMetricData'],
};
