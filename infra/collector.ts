import { Duration, Size, Stack } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

/** What the collector runs beside. */
export interface CollectorProps {
  readonly taskDefinition: ecs.FargateTaskDefinition;
  /** Sends to the collector; ends before it, so that its last words are heard. */
  readonly server: ecs.ContainerDefinition;
  readonly logGroup: logs.ILogGroup;
  readonly linuxParameters: ecs.LinuxParameters;
}

/**
 * AWS's distribution of the OpenTelemetry collector: 0.49.0, of July 2026, was the latest when this was written, and is
 * made of the upstream's 0.156.0, with which `collectorConfig` was tried. It is named by the digest of its list of
 * images, for ARM and x86: a tag can be moved. `docker buildx imagetools inspect` tells that of another version.
 */
const image =
  'public.ecr.aws/aws-observability/aws-otel-collector@sha256:d2bdfff2c377c3d71d78bd5d9ce9862fd535b12134a5739d87a07801297cf9fd';

/** Where the collector listens: containers of a task share one loopback, which nobody else reaches. */
const address = '127.0.0.1:4318';
/** Where the server sends what it knows. */
export const collectorEndpoint = `http://${address}`;

/**
 * Of a task's memory, for the collector alone. It took 47 MiB when it was tried, and refuses data before it has no
 * more.
 */
export const collectorMemoryMiB = 128;
/** Of 1/1024 of a CPU, when the server wants all of it. */
const cpuShare = 32;

/** Spans that each task may add to the bill in a second: whole traces beyond them are dropped. */
export const maxSpansPerSecond = 10;

/**
 * The metrics that go to CloudWatch, which are those that alarms and the dashboard look at. Prometheus has all
 * (docs/watching.md).
 */
export const sentMetrics: readonly string[] = [
  'rpc.server.call.duration',
  'rpc.server.active_calls',
  'rpc.server.deadlines.given',
  'rpc.server.deadlines.missed',
  'rpc.server.refusals',
  'server.connections',
  'server.memory.held',
  'server.ready',
  'db.client.operation.duration',
  'db.client.retries',
  'db.client.throttles',
  'users.passwords.queued',
  'nodejs.eventloop.delay.p99',
  'nodejs.eventloop.utilization',
  'v8js.gc.duration',
  'v8js.memory.heap.used',
  'v8js.memory.heap.limit',
  'process.memory.usage',
];

/** What the collector does with what it receives. CloudWatch takes 1,000 data points and 1 MB in a request. */
export const collectorConfig = (region: string) => ({
  extensions: {
    health_check: { endpoint: '127.0.0.1:13133' },
    sigv4auth: { region, service: 'monitoring' },
  },
  receivers: { otlp: { protocols: { http: { endpoint: address } } } },
  processors: {
    memory_limiter: { check_interval: '1s', limit_mib: 100, spike_limit_mib: 20 },
    filter: {
      metric_conditions: [`not IsMatch(metric.name, "^(${sentMetrics.join('|').replaceAll('.', '[.]')})$")`],
    },
    // A call's spans come together, at its end.
    tail_sampling: {
      decision_wait: '1s',
      num_traces: 1000,
      policies: [
        {
          name: 'bill',
          type: 'rate_limiting',
          rate_limiting: { spans_per_second: maxSpansPerSecond, burst_capacity: 20 * maxSpansPerSecond },
        },
      ],
    },
    batch: { timeout: '10s', send_batch_size: 500, send_batch_max_size: 1000 },
  },
  exporters: {
    awsxray: { region },
    otlp_http: {
      metrics_endpoint: `https://monitoring.${region}.amazonaws.com/v1/metrics`,
      compression: 'gzip',
      auth: { authenticator: 'sigv4auth' },
    },
  },
  service: {
    extensions: ['health_check', 'sigv4auth'],
    pipelines: {
      traces: {
        receivers: ['otlp'],
        processors: ['memory_limiter', 'tail_sampling', 'batch'],
        exporters: ['awsxray'],
      },
      metrics: {
        receivers: ['otlp'],
        processors: ['memory_limiter', 'filter', 'batch'],
        exporters: ['otlp_http'],
      },
    },
    telemetry: { logs: { level: 'warn' }, metrics: { level: 'none' } },
  },
});

/** A collector beside the server. A task does without it if it fails: calls matter more than what is told of them. */
export class Collector extends Construct {
  constructor(scope: Construct, id: string, props: CollectorProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const container = props.taskDefinition.addContainer('Collector', {
      image: ecs.ContainerImage.fromRegistry(image),
      essential: false,
      // It is started again when it ends, at most once a minute.
      enableRestartPolicy: true,
      restartAttemptPeriod: Duration.minutes(1),
      cpu: cpuShare,
      memoryLimitMiB: collectorMemoryMiB,
      // The image reads its configuration from here when it is set. JSON is YAML.
      environment: { AOT_CONFIG_CONTENT: stack.toJsonString(collectorConfig(stack.region)) },
      healthCheck: {
        command: ['CMD', '/healthcheck'],
        interval: Duration.seconds(30),
        timeout: Duration.seconds(5),
        retries: 3,
        startPeriod: Duration.seconds(10),
      },
      readonlyRootFilesystem: true,
      linuxParameters: props.linuxParameters,
      logging: ecs.LogDriver.awsLogs({
        logGroup: props.logGroup,
        streamPrefix: 'Collector',
        mode: ecs.AwsLogDriverMode.NON_BLOCKING,
        maxBufferSize: Size.mebibytes(1),
      }),
    });
    // What depends on another is started after it, and stopped before.
    props.server.addContainerDependencies({ container, condition: ecs.ContainerDependencyCondition.START });
  }
}
